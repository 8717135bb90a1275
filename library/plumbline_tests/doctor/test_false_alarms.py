"""What only looks like a fault has no finding: each case was a false alarm once."""

from pathlib import Path

import pytest

from plumbline_tests.doctor.projects import found

SESSIONS = """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

factory = async_sessionmaker(expire_on_commit=False)
app = FastAPI()


async def get_db():
    async with factory() as session:
        yield session

"""
MAKES_AN_ENGINE = """
from sqlalchemy.ext import asyncio as sa


def create_async_engine(url):
    return sa.create_async_engine(url, pool_pre_ping=True, connect_args={"timeout": 2})
"""
CASES = {
    "a variable that has the name of a factory": """
from sqlalchemy.ext.asyncio import async_sessionmaker


def get(request):
    async_sessionmaker = request.state.async_sessionmaker
    return async_sessionmaker()
""",
    "a function of the project that has the name of SQLAlchemy's": """
from app.engines import create_async_engine

engine = create_async_engine("postgresql+asyncpg://db/app")
""",
    "a commit that reads only, in a dependency with the right scope": SESSIONS
    + """
@app.get("/posts")
async def list_posts(db: AsyncSession = Depends(get_db)): ...
""",
    "a gather of other things than sessions": """
import asyncio

from sqlalchemy.ext.asyncio import AsyncSession


async def load(connection, db: AsyncSession, session: object) -> None:
    await asyncio.gather(connection.get("a"), db.flush(), session.get("b"), session.get("c"))
""",
    "tables that a script makes": """
from sqlalchemy import MetaData, create_engine

metadata = MetaData()
if __name__ == "__main__":
    metadata.create_all(create_engine("postgresql://db/app"))
""",
    "tables of the development alone": """
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import MetaData

metadata = MetaData()


@asynccontextmanager
async def lifespan(app: FastAPI):
    if app.debug:
        metadata.create_all(app.state.engine)
    yield
""",
    "an error that is handed on": """
from sqlalchemy.ext.asyncio import AsyncSession


async def store(db: AsyncSession, fail) -> None:
    try:
        await db.flush()
    except Exception as error:
        fail(error)
""",
    "an engine whose options are put together elsewhere": """
import os

from sqlalchemy.ext.asyncio import create_async_engine

options = {}
if os.environ.get("POOL"):
    options.update(pool_pre_ping=True)
engine = create_async_engine("postgresql+asyncpg://db/app", **options)
""",
    "an engine that one function uses": """
from sqlalchemy import create_engine


def export(url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
""",
    "a blocking call that a thread makes": """
import asyncio
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index() -> None:
    await asyncio.to_thread(time.sleep, 1)
""",
    "a blocking call in a plain function of a route": """
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index() -> None:
    time.sleep(1)
""",
    "a setting that is read, and a key whose default is refused": """
from pydantic_settings import BaseSettings


def config(name: str) -> str: ...


class Settings(BaseSettings):
    SECRET_KEY: str = config("SECRET_KEY")
    JWT_SECRET: str = "change-me"
    SECRET_NAME: str = "a name and no secret"

    def check(self) -> None:
        if self.JWT_SECRET == "change-me":
            raise ValueError
""",
    "an offset that no caller decides": """
from sqlalchemy import Select

MOST = 10


def beyond(rows: Select[tuple[int]]) -> Select[tuple[int]]:
    return rows.offset(MOST - 1)
""",
    "a text of constants, and a name that is looked up": """
from sqlalchemy import text

TABLE = "posts"


def count(column: str):
    if column not in {"id", "title"}:
        raise ValueError(column)
    return text(f"SELECT {column} FROM {TABLE}")
""",
    "a loop over parts, each read at once": """
from sqlalchemy import column, select
from sqlalchemy.ext.asyncio import AsyncSession


async def load(db: AsyncSession, parts: list[list[int]]) -> None:
    for part in parts:
        await db.execute(select(column("id")).where(column("id").in_(part)))
""",
    "an engine of SQLite by its arguments, one for development, and one for tests": """
from sqlalchemy import create_engine


def new_engine(settings):
    if settings.environment == "development":
        return create_engine(settings.url)
    return create_engine(settings.url, connect_args={"check_same_thread": False})


test_engine = create_engine("postgresql://db/other", connect_args={"options": ""})
""",
    "a sync session whose file is SQLite": """
from sqlalchemy import create_engine

engine = create_engine("sqlite:///app.db")
""",
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_fault_has_no_finding(name: str, tmp_path: Path) -> None:
    files = {"app/main.py": CASES[name], "app/engines.py": MAKES_AN_ENGINE}

    assert found(tmp_path, files) == []


LATE = """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

factory = async_sessionmaker(expire_on_commit=False)
app = FastAPI()


async def get_db():
    async with factory.begin() as session:
        yield session


@app.post("/posts")
async def create_post(db: AsyncSession = Depends(get_db)):
    db.add(object())
"""
UNTESTED = """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://db/app", connect_args={"timeout": 2})
"""
PLACES = ["tests/test_app.py", "tests/conftest.py", ".venv/app.py", "node_modules/app.py"]


@pytest.mark.parametrize("place", PLACES)
def test_tests_and_installed_packages_are_not_looked_at(place: str, tmp_path: Path) -> None:
    assert found(tmp_path, {place: LATE + UNTESTED}) == []


def test_multiple_heads_on_purpose_are_none(tmp_path: Path) -> None:
    script = 'revision = "{}"\ndown_revision = None\nbranch_labels = ("{}",)\n'
    files = {f"db/versions/{name}.py": script.format(name, name) for name in ("a", "b")}

    assert found(tmp_path, files) == []
