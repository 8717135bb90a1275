"""The lesson's code, right and with each of its five pitfalls."""

from pathlib import Path

import pytest

from plumbline_tests.doctor.projects import found

SETTINGS = """
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env")
    DATABASE_URL: str = "postgresql+asyncpg://postgres:postgres@localhost:5432/app"
    DEBUG: bool = False


settings = Settings()
"""
SESSION = """
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.core.config import settings

engine = create_async_engine(
    settings.DATABASE_URL,
    echo=settings.DEBUG,
    pool_size=10,
    max_overflow=20,
    pool_pre_ping=True,
    connect_args={"command_timeout": 5},
)
AsyncSessionFactory = async_sessionmaker(engine, expire_on_commit=False, class_=AsyncSession)


async def get_db() -> AsyncSession:
    async with AsyncSessionFactory() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise
"""
POST = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), nullable=False)
    author: Mapped["User"] = relationship("User", back_populates="posts", lazy="raise_on_sql")
"""
ROUTES = """
from fastapi import APIRouter, Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models.post import Post
from app.db.session import get_db

router = APIRouter()


@router.get("/posts")
async def list_posts(db: AsyncSession = Depends(get_db, scope="function")):
    return (await db.scalars(select(Post))).all()
"""
LESSON = {
    "app/core/config.py": SETTINGS,
    "app/db/session.py": SESSION,
    "app/db/models/post.py": POST,
    "app/api/posts.py": ROUTES,
    "requirements.txt": "sqlalchemy[asyncio]>=2.0\nasyncpg\npsycopg2-binary\nfastapi\n",
}
BLOCKING = ROUTES.replace(
    "sqlalchemy.ext.asyncio import AsyncSession", "sqlalchemy.orm import Session"
)
PITFALLS = {
    "greenlet_spawn: sync SQLAlchemy in async code": (
        "PL201",
        "app/api/posts.py",
        BLOCKING.replace("AsyncSession", "Session").replace(
            "(await db.scalars(select(Post))).all()", "db.query(Post).all()"
        ),
    ),
    "MissingGreenlet: expire_on_commit": (
        "PL301",
        "app/db/session.py",
        SESSION.replace("expire_on_commit=False, ", ""),
    ),
    "no rollback: get_db leaves the session open": (
        "PL004",
        "app/db/session.py",
        SESSION.partition("    async with AsyncSessionFactory()")[0]
        + "    session = AsyncSessionFactory()\n    yield session\n    await session.close()\n",
    ),
    "MissingGreenlet: a relationship that loads lazily": (
        "PL302",
        "app/db/models/post.py",
        POST.replace('lazy="raise_on_sql"', 'lazy="select"'),
    ),
    "asyncpg not found": (
        "PL106",
        "requirements.txt",
        "sqlalchemy[asyncio]>=2.0\npsycopg2-binary\nfastapi\n",
    ),
}


@pytest.mark.parametrize("name", PITFALLS)
def test_each_pitfall_of_the_lesson_is_found(name: str, tmp_path: Path) -> None:
    code, path, text = PITFALLS[name]

    assert {each for each, _, _ in found(tmp_path, {**LESSON, path: text})} == {code}


def test_lesson_with_its_right_code_has_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path, LESSON) == []


def test_lesson_as_it_is_commits_after_the_response(tmp_path: Path) -> None:
    late = {**LESSON, "app/api/posts.py": ROUTES.replace(', scope="function"', "")}

    assert {code for code, _, _ in found(tmp_path, late)} == {"PL001"}
