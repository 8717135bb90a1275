"""A list of values is a parameter for each of them, or one."""

import pytest
from sqlalchemy import BigInteger, any_, cast, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine

from plumbline.db.compiling import is_any_of
from plumbline_tests.pitfalls.tutorial import PAGE, Author
from plumbline_tests.sandbox.database import ReadSessionFactory
from plumbline_tests.sandbox.models import Author as SandboxAuthor

IDS = list(range(33_000))


async def test_long_list_has_too_many_parameters(sandbox: AsyncEngine) -> None:
    """PostgreSQL numbers parameters in 16 bits."""
    with pytest.raises(InterfaceError) as caught:
        async with sandbox.connect() as connection:
            await connection.execute(select(Author.id).where(Author.id.in_(IDS)))

    message = str(caught.value).splitlines()[0].partition(": ")[2]
    assert message.partition(" cannot exceed")[0] in PAGE.read_text()


async def test_array_is_one_parameter_of_any_length(sandbox: AsyncEngine) -> None:
    found = any_(cast(literal(IDS), ARRAY(BigInteger)))
    async with sandbox.connect() as connection:
        assert (await connection.execute(select(1).where(literal(7) == found))).scalar() == 1
    async with ReadSessionFactory() as db:
        rows = select(SandboxAuthor.id).where(is_any_of(SandboxAuthor.id, IDS))
        assert (await db.scalars(rows)).all() == []
