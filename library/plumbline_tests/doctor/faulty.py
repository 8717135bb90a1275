"""An application with a fault in each part, and how it is looked at."""

import json
from pathlib import Path

from plumbline_tests.doctor.test_answers import Answer, run

# Each line that ends with a code has that fault; the names come by ways that no reader of files
# can follow.
FAULTY = {
    "shop/db.py": """
import datetime
import functools
from contextlib import asynccontextmanager, contextmanager
from sqlalchemy import DateTime, ForeignKey, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

OPTIONS = dict([("pool_size", 5)])
engine = create_async_engine("postgresql+asyncpg://u:secret@h/shop", **OPTIONS)  # PL101 PL104
tested = create_async_engine(
    "postgresql+asyncpg://h/shop", pool_pre_ping=True, connect_args={"command_timeout": 5}
)
lite = create_engine("sqlite:///none.db")
factory = async_sessionmaker(engine, **dict(future=True))  # PL301


class Base(DeclarativeBase):  # PL304
    pass


class Stamped:
    made_at: Mapped[datetime.datetime] = mapped_column(DateTime())  # PL303


class User(Stamped, Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True))
    posts: Mapped[list["Post"]] = relationship(back_populates="user")  # PL302


class Post(Stamped, Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(back_populates="posts", lazy="raise")


@asynccontextmanager
async def scope():
    async with factory() as session:
        try:
            yield session
        except Exception:
            await session.rollback()
            raise
        else:
            await session.commit()  # PL001


class Database:
    def __init__(self, factory):
        self.factory = factory

    async def session(self):
        async with self.factory.begin() as session:  # PL001
            yield session

    @asynccontextmanager
    async def transaction(self):
        async with self.factory() as session:
            yield session
            await session.commit()  # PL001

    async def indirect(self):
        async with self.transaction() as session:
            yield session

    async def __call__(self):
        async with self.factory() as session:
            try:
                yield session
            finally:
                await session.commit()  # PL001 PL002


async def get_scope():
    async with scope() as session:
        yield session


async def get_early() -> AsyncSession:
    async with scope() as session:
        yield session


def get_sync() -> Session:
    with Session() as session:
        yield session


get_partial = functools.partial(Database(factory).session)
get_object = Database(factory)
get_indirect = Database(factory).indirect
""",
    "shop/main.py": """
from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.middleware.base import BaseHTTPMiddleware

from shop import db

print("the import may print, {}")
router = APIRouter(dependencies=[Depends(db.get_scope)])
admin = FastAPI()


@router.get("/partial")
async def read(session: AsyncSession = Depends(db.get_partial)):
    pass


@admin.post("/object")
async def make(session=Depends(db.get_object)):
    pass


@router.get("/indirect")
async def read_again(session: AsyncSession = Depends(db.get_indirect)):
    pass


@router.get("/early")
async def early(session: AsyncSession = Depends(db.get_early, scope="function")):
    pass


@router.get("/blocking")
async def blocking(session=Depends(db.get_sync)):  # PL201
    pass


@router.get("/lost")
def lost(session: AsyncSession = Depends(db.get_early, scope="function")):  # PL801
    pass


@router.get("/export")
async def export():
    return StreamingResponse(iter(()))


class Timed(BaseHTTPMiddleware):  # PL802
    pass


class Wrapped:
    def __init__(self, app):
        self.app = app


def create_app():
    app = FastAPI(debug=True)
    app.include_router(router, prefix="/v1")
    app.mount("/admin", admin)
    app.add_middleware(Timed)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
    return Wrapped(app)


made = Wrapped(create_app())
""",
    "alembic.ini": "",
    "Dockerfile": 'CMD ["uvicorn", "shop.main:made", "--workers", "5"]\n',
}


def look(root: Path, target: str = "shop.main:made", *options: str) -> Answer:
    return run(root, "--run", target, "--fail-on", "hazard", *options)


def found(answer: Answer) -> list[tuple[str, str, int]]:
    """Code, file or object, and line of each finding."""
    return sorted(
        (each["code"], each.get("path") or each["object"], each.get("line", 0))
        for each in json.loads(answer.stdout)["findings"]
    )
