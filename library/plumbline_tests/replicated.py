"""A service of notes on a primary and its read replicas, which says what server answered."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated

import httpx2
from fastapi import Depends, FastAPI
from sqlalchemy import BigInteger, Integer, Select, Text, case, func, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.db.embedded import DATABASE, PASSWORD
from plumbline.db.engine import Engine, create_engine
from plumbline.db.read_session import read_session_factory
from plumbline.db.readiness import Readiness
from plumbline.db.reading import read_from_primary
from plumbline.db.replicas import Replicas
from plumbline.db.session import session_factory
from plumbline.db.statements import CompiledSelect
from plumbline.http.install import install
from plumbline.settings import Settings
from plumbline.testing.server import serve
from plumbline_tests.sandbox.models import Note

LONG = 60.0  # the longest DB_READ_MAX_LAG_SECONDS: what a caller has seen decides, and nothing else

Between = Callable[[int], Awaitable[None]]


@dataclass
class NoteRead:
    text: str
    port: int  # of the server that answered


def _note(*, note_id: int) -> Select[str, int]:
    port = func.current_setting("port").cast(Integer)
    return select(Note.text, port).where(Note.id == note_id)


_COUNT = select(func.count(type_=BigInteger)).select_from(table("papers"))
_PAPERS = CompiledSelect(_COUNT, int)
# Only on a replica.
_LONG = func.pg_sleep(case((func.pg_is_in_recovery(), 60), else_=0)).cast(Text)
_SLEEP = select(func.length(_LONG, type_=Integer))
_SLOW = CompiledSelect(_SLEEP, int)
PORT = CompiledSelect(select(func.current_setting("port").cast(Integer)), int)
_NOTE = CompiledSelect(_note, NoteRead)


def read_url(*ports: int) -> str:
    hosts = "&".join(f"host=127.0.0.1:{port}" for port in ports)
    return f"postgresql://postgres:{PASSWORD}@/{DATABASE}?{hosts}"


def make_engine(
    url: str, *ports: int, max_lag_seconds: float = LONG, pool_size: int = 2
) -> tuple[Engine, Settings]:
    settings = Settings(
        DATABASE_URL=url,
        DATABASE_READ_URL=read_url(*ports),
        DB_READ_MAX_LAG_SECONDS=max_lag_seconds,
    )
    return create_engine(settings, pool_size=pool_size, max_overflow=0), settings


def make_app(engine: Engine, settings: Settings, between: Between | None = None) -> FastAPI:
    app = FastAPI()
    _add_writes(app, engine)
    _add_compiled(app, engine)
    _add_two_reads(app, engine, between)
    _add_sessions(app, engine)
    _add_slow_work(app, engine, settings)
    install(app, settings, Readiness(engine, settings))
    return app


def _add_writes(app: FastAPI, engine: Engine) -> None:
    sessions = session_factory(engine)

    async def get_db() -> AsyncIterator[AsyncSession]:
        async with sessions.begin() as db:
            yield db

    @app.post("/notes/{text}")
    async def create(
        text: str, db: Annotated[AsyncSession, Depends(get_db, scope="function")]
    ) -> int:
        note = Note(text=text)
        db.add(note)
        await db.flush()
        return note.id

    @app.put("/notes/{note_id}/{text}")
    async def change(
        note_id: int, text: str, db: Annotated[AsyncSession, Depends(get_db, scope="function")]
    ) -> None:
        await db.execute(update(Note).where(Note.id == note_id).values(text=text))

    @app.post("/port")
    async def port() -> int | None:
        return await PORT.find(engine)


def _add_compiled(app: FastAPI, engine: Engine) -> None:
    @app.get("/newest")
    async def newest() -> int | None:
        read_from_primary()
        return await PORT.find(engine)

    @app.get("/slow/compiled")
    async def slow() -> int | None:
        return await _SLOW.find(engine)

    @app.get("/papers/compiled")
    async def papers() -> int | None:
        return await _PAPERS.find(engine)

    @app.get("/compiled/{note_id}")
    async def compiled(note_id: int) -> NoteRead | None:
        return await _NOTE.find(engine, note_id=note_id)


def _add_two_reads(app: FastAPI, engine: Engine, between: Between | None) -> None:
    @app.get("/twice")
    async def twice() -> list[int | None]:
        """Which server answered each of them."""
        first = await PORT.find(engine)
        if between is not None and first is not None:
            await between(first)
        return [first, await PORT.find(engine)]


def _add_sessions(app: FastAPI, engine: Engine) -> None:
    reads = read_session_factory(engine)

    async def get_read_db() -> AsyncIterator[AsyncSession]:
        async with reads() as db:
            yield db

    read_db = Depends(get_read_db, scope="function")

    @app.get("/slow/session")
    async def slow_by_session(db: Annotated[AsyncSession, read_db]) -> int | None:
        return await db.scalar(_SLEEP)

    @app.get("/papers/session")
    async def papers_by_session(db: Annotated[AsyncSession, read_db]) -> int | None:
        return await db.scalar(_COUNT)

    @app.get("/session/{note_id}")
    async def by_session(note_id: int, db: Annotated[AsyncSession, read_db]) -> NoteRead | None:
        found = (await db.execute(_note(note_id=note_id))).one_or_none()
        return None if found is None else NoteRead(*found)


def _add_slow_work(app: FastAPI, engine: Engine, settings: Settings) -> None:
    """A second engine, on which a GET writes before it reads on the first."""

    @app.get("/visits/{note_id}")
    async def visit(note_id: int) -> NoteRead | None:
        slow = create_engine(settings, timeout_seconds=30, pool_size=1)
        async with session_factory(slow).begin() as db:
            await db.execute(update(Note).where(Note.id == note_id).values(text="visited"))
        await slow.dispose()
        return await _NOTE.find(engine, note_id=note_id)


def replicas_of(engine: Engine) -> Replicas:
    assert engine.replicas is not None
    return engine.replicas


@asynccontextmanager
async def serving(
    engine: Engine, settings: Settings, between: Between | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller who keeps no cookies: each request says itself what it brings.

    `between` the two reads of a request somebody may do something, by the port of the first.
    """
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with (
        serve(make_app(engine, settings, between)) as address,
        httpx2.AsyncClient(base_url=address, cookies=forgetful) as client,
    ):
        yield client
    await engine.dispose()
