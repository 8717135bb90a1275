"""A session that is not rolled back after an error, and an error that nobody hears of."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.exc import IntegrityError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline_tests.backends import (
    IDLE_IN_TRANSACTION,
    backends,
    checked_out,
    count,
    until_backends,
)
from plumbline_tests.pitfalls.tutorial import Author, in_process, is_documented, make_author
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.service import Db


def _library(session: AsyncSession) -> FastAPI:
    """One session, which an error neither rolls back nor closes."""

    async def get_db() -> AsyncIterator[AsyncSession]:
        yield session
        await session.commit()

    library = FastAPI()

    @library.post("/{name}")
    async def create(name: str, db: Annotated[AsyncSession, Depends(get_db)]) -> None:
        db.add(Author(name=name))
        await db.flush()
        if name == "nobody":
            raise HTTPException(409)

    return library


async def _post(service: FastAPI, path: str) -> int:
    async with in_process(service, raising=False) as client:
        return (await client.post(path)).status_code


async def test_transaction_stays_open_after_an_error(sandbox: AsyncEngine) -> None:
    session = AsyncSession(sandbox)

    status = await _post(_library(session), "/nobody")

    assert status == 409
    assert checked_out(sandbox) == 1
    assert await backends(sandbox, IDLE_IN_TRANSACTION) == 1
    await session.close()


async def test_later_request_commits_what_a_failed_one_left(sandbox: AsyncEngine) -> None:
    async with AsyncSession(sandbox) as session:
        library = _library(session)

        statuses = [await _post(library, "/nobody"), await _post(library, "/jane")]

    assert statuses == [409, 200]
    assert await count(sandbox, Author) == 2


async def test_session_refuses_work_after_a_failed_flush(sandbox: AsyncEngine) -> None:
    await make_author(sandbox, "Jane Austen")

    async with AsyncSession(sandbox) as session:
        session.add(Author(name="Jane Austen"))
        with pytest.raises(IntegrityError):
            await session.flush()
        with pytest.raises(PendingRollbackError) as caught:
            await session.commit()

    assert is_documented(caught.value)


async def test_begin_does_not_commit_after_a_swallowed_failure(sandbox: AsyncEngine) -> None:
    await make_author(sandbox, "Jane Austen")

    async with AsyncSession(sandbox) as session, session.begin():
        session.add(Author(name="Charlotte"))
        await session.flush()
        session.add(Author(name="Jane Austen"))
        with pytest.raises(IntegrityError):
            await session.flush()

    assert await count(sandbox, Author) == 1


async def test_savepoint_keeps_the_rest_after_a_failed_flush(sandbox: AsyncEngine) -> None:
    await make_author(sandbox, "Jane Austen")

    async with AsyncSession(sandbox) as session, session.begin():
        session.add(Author(name="Charlotte"))
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                session.add(Author(name="Jane Austen"))

    assert await count(sandbox, Author) == 2


def _user(name: str) -> models.Author:
    return models.Author(name=name, email=f"{name}@example.com")


def _service(error: Exception) -> FastAPI:
    service = FastAPI()

    @service.post("/raise")
    async def fail(db: Db) -> None:
        db.add(_user("carol"))
        await db.flush()
        raise error

    @service.post("/swallow")
    async def swallow(db: Db) -> None:
        db.add_all([_user("carol"), _user("carol")])
        with suppress(IntegrityError):
            await db.flush()

    return service


@pytest.mark.parametrize("error", [HTTPException(409), RuntimeError("a defect")])
async def test_failed_request_of_the_service_leaves_nothing_behind(error: Exception) -> None:
    status = await _post(_service(error), "/raise")

    assert status == (500 if isinstance(error, RuntimeError) else 409)
    assert checked_out(engine) == 0
    assert await count(engine, models.Author) == 0
    await until_backends(engine, IDLE_IN_TRANSACTION, are=0)


async def test_swallowed_failure_of_a_flush_is_no_success_of_the_service() -> None:
    status = await _post(_service(RuntimeError()), "/swallow")

    assert status == 500
    assert await count(engine, models.Author) == 0
