"""The database of the sandbox: settings, an engine, sessions, and its migrations."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession

import plumbline
from plumbline.db.engine import create_engine
from plumbline.db.migrate import Migrations
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import session_factory
from plumbline.setting_values import normalise_url
from plumbline.settings import load_settings
from plumbline_tests.sandbox.models import Base

DATABASE = "sandbox"


def _beside_the_service(url: str) -> str:
    """The run's DATABASE_URL names the database of the service's tests; ours is on its server."""
    given = make_url(normalise_url(url))
    if (name := given.database or "").endswith("main"):
        given = given.set(database=name.removesuffix("main") + DATABASE)
    return given.render_as_string(hide_password=False)


class Settings(plumbline.Settings):
    PROGRAM = "sandbox"

    DATABASE_URL: Annotated[str, AfterValidator(_beside_the_service)] = Field(
        default="postgresql+asyncpg://postgres:postgres@localhost:5432/sandbox", repr=False
    )


settings = load_settings(Settings)
engine = create_engine(settings, models=Base.metadata)
AsyncSessionFactory = session_factory(engine)
ReadSessionFactory = read_session_factory(engine)
migrations = Migrations(Path(__file__).parent / "migrations", Base.metadata, settings)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with AsyncSessionFactory.begin() as db:
        yield db


async def get_read_db() -> AsyncIterator[AsyncSession]:
    async with ReadSessionFactory() as db:
        yield db
