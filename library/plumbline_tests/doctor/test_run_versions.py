"""The same faults in the same lines, with FastAPI and SQLAlchemy of some years."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from plumbline_tests.doctor.faulty import found, look
from plumbline_tests.doctor.projects import write

OLD = """
import datetime
from typing import AsyncIterator

from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import Column, DateTime, ForeignKey, Integer, Table
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import declarative_base, relationship, sessionmaker
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import StreamingResponse

engine = create_async_engine("postgresql+asyncpg://h/shop")  # PL101 PL104
factory = sessionmaker(engine, class_=AsyncSession)  # PL301
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    made_at = Column(DateTime)  # PL303
    posts = relationship("Post")  # PL302


class Post(Base):
    __tablename__ = "posts"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("users.id"))


async def get_db() -> AsyncIterator[AsyncSession]:
    async with factory() as session:
        yield session
        await session.commit()  # PL001


router = APIRouter()


@router.post("/users")
async def make(db: AsyncSession = Depends(get_db)):
    pass


@router.get("/lost")
def lost(db: AsyncSession = Depends(get_db)):  # PL801
    pass


@router.get("/export")
async def export():
    return StreamingResponse(iter(()))


app = FastAPI(debug=True)
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)


@app.middleware("http")
async def timed(request, call_next):  # PL802
    return await call_next(request)


app.include_router(router, prefix="/v1")
"""
CORS = "starlette.middleware.cors.CORSMiddleware"
VERSIONS = (
    ("fastapi==0.68.2", "sqlalchemy==1.4.49", "pydantic<2"),
    ("fastapi==0.95.2", "sqlalchemy==2.0.4", "pydantic<2"),
    ("fastapi==0.112.4", "sqlalchemy==2.0.30", "pydantic>=2"),
    ("fastapi==0.121.0", "sqlalchemy==2.0.44", "pydantic>=2"),
)


def python_with(folder: Path, versions: tuple[str, ...]) -> str:
    """An interpreter of a throw-away environment, which has nothing of this library."""
    venv.create(folder, with_pip=True)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *versions]
    subprocess.run([*install, "asyncpg", "greenlet"], check=True, capture_output=True)
    return install[0]


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("versions", [(), *VERSIONS], ids=lambda each: " ".join(each) or "today")
def test_faults_are_found_with_each_version(versions: tuple[str, ...], tmp_path: Path) -> None:
    python = python_with(tmp_path / "env", versions) if versions else sys.executable
    project = write(tmp_path / "old", {"main.py": OLD})

    seen = found(look(project, "main:app", "--format", "json", "--python", python))

    marks = [
        (code, "main.py", number)
        for number, line in enumerate(OLD.splitlines(), start=1)
        for code in line.partition("  # ")[2].split()
    ]
    others = [("PL504", "the application", 0), ("PL503", CORS, 0)]
    assert seen == sorted([*marks, *others])
