"""`Depends(get_db)` beside `Depends(get_db, scope="function")`: two sessions in one request."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.exceptions import DependencyScopeError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plumbline_tests.pitfalls.tutorial import Author, in_process, is_documented
from plumbline_tests.sandbox.service import Db


async def test_mixed_scopes_are_two_sessions_in_one_request(sandbox: AsyncEngine) -> None:
    async def get_db() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(sandbox) as session, session.begin():
            yield session

    library = FastAPI()

    @library.get("/")
    async def count_own_rows(
        writer: Annotated[AsyncSession, Depends(get_db, scope="function")],
        reader: Annotated[AsyncSession, Depends(get_db)],
    ) -> int | None:
        writer.add(Author(name="Jane Austen"))
        await writer.flush()
        return await reader.scalar(select(func.count()).select_from(Author))

    assert await _get(library) == "0"


async def _get(service: FastAPI) -> str:
    async with in_process(service) as client:
        return (await client.get("/")).text


def test_generator_without_scope_on_a_function_scope_is_refused_at_start() -> None:
    async def get_posts(db: Db) -> AsyncIterator[AsyncSession]:
        yield db

    with pytest.raises(DependencyScopeError) as caught:

        @FastAPI().get("/")
        async def read(db: Annotated[AsyncSession, Depends(get_posts)]) -> None: ...

    assert is_documented(caught.value)


async def test_one_alias_is_one_session_however_often_it_is_asked_for() -> None:
    service = FastAPI()

    @service.get("/")
    async def compare(first: Db, second: Db) -> bool:
        return first is second

    assert await _get(service) == "true"
