"""The style of SQLAlchemy 1 warns, and a warning is an error in every test."""

import pytest
from sqlalchemy.exc import LegacyAPIWarning, MovedIn20Warning
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.ext.declarative import declarative_base

from plumbline_tests.pitfalls.tutorial import Author, is_documented


async def test_legacy_query_is_an_error_here(sandbox: AsyncEngine) -> None:
    async with AsyncSession(sandbox) as session:
        with pytest.raises(LegacyAPIWarning) as caught:
            await session.run_sync(lambda blocking: blocking.query(Author).get(1))

    assert is_documented(caught.value)


def test_moved_name_is_an_error_here() -> None:
    with pytest.raises(MovedIn20Warning) as caught:
        declarative_base()

    assert is_documented(caught.value)
