"""A session used after its request, as by a stream: it leaks a connection, or raises."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from plumbline_tests.backends import checked_out
from plumbline_tests.pitfalls.tutorial import Author, in_process, is_documented, make_author
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.database import (
    AsyncSessionFactory,
    ReadSessionFactory,
    engine,
    get_db,
    get_read_db,
)
from plumbline_tests.sandbox.service import Db, ReadDb

GetDb = Callable[[], AsyncIterator[AsyncSession]]


def _streaming(session_alias: Any, column: Any) -> FastAPI:  # noqa: ANN401 - Annotated, a column
    service = FastAPI()

    @service.get("/")
    async def stream(db: session_alias) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for name in await db.scalars(select(column)):
                yield f"{name}\n"

        return StreamingResponse(lines())

    return service


async def _get(service: FastAPI) -> str:
    async with in_process(service) as client:
        return (await client.get("/")).text


def _session_of_a_request(session: AsyncSession) -> Any:  # noqa: ANN401 - an Annotated alias
    async def get_session() -> AsyncIterator[AsyncSession]:
        async with session:
            yield session

    return Annotated[AsyncSession, Depends(get_session, scope="function")]


async def test_stream_reopens_the_session_and_keeps_a_connection(sandbox: AsyncEngine) -> None:
    await make_author(sandbox, "Jane Austen")
    session = AsyncSession(sandbox)

    lines = await _get(_streaming(_session_of_a_request(session), Author.name))

    assert lines == "Jane Austen\n"
    assert checked_out(sandbox) == 1
    await session.close()


async def test_stream_with_a_session_that_closes_for_good_raises(sandbox: AsyncEngine) -> None:
    session = async_sessionmaker(sandbox, close_resets_only=False)()

    with pytest.raises(InvalidRequestError) as caught:
        await _get(_streaming(_session_of_a_request(session), Author.name))

    assert is_documented(caught.value)
    assert checked_out(sandbox) == 0


@pytest.mark.parametrize("alias", [Db, ReadDb], ids=["Db", "ReadDb"])
async def test_stream_with_a_session_of_the_service_raises(alias: object) -> None:
    with pytest.raises(InvalidRequestError, match="permanently closed"):
        await _get(_streaming(alias, models.Author.name))

    assert checked_out(engine) == 0


@pytest.mark.parametrize(
    "door",
    [get_db, get_read_db, AsyncSessionFactory, ReadSessionFactory],
    ids=["get_db", "get_read_db", "AsyncSessionFactory", "ReadSessionFactory"],
)
async def test_session_of_the_service_cannot_be_used_after_its_end(
    door: GetDb | async_sessionmaker[AsyncSession],
) -> None:
    opened = door() if isinstance(door, async_sessionmaker) else asynccontextmanager(door)()
    async with opened as db:
        await db.execute(text("SELECT 1"))

    with pytest.raises(InvalidRequestError, match="permanently closed"):
        await db.execute(text("SELECT 1"))
    assert checked_out(engine) == 0
