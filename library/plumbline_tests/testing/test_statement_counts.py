"""statement_limit counts what runs; a test whose request repeats a statement fails."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import insert, select

from plumbline.db.statements import CompiledSelect
from plumbline.testing.server import serve
from plumbline.testing.statement_counts import pytest_runtest_call, statement_limit
from plumbline_tests.http.repeating import BATCHES, TIMES, odd
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine
from plumbline_tests.sandbox.models import Book, Note
from plumbline_tests.sandbox.service import create_app

TITLES = CompiledSelect(select(Book.title), str)


async def _run(times: int) -> None:
    async with AsyncSessionFactory.begin() as db:
        for _ in range(times - 1):
            await db.scalar(select(Book.id))
        await TITLES.all(db)


async def test_block_that_runs_as_many_as_it_may_passes() -> None:
    with statement_limit(3) as found:
        await _run(3)

    assert sorted(found.counts.values()) == [1, 2]


async def test_block_that_runs_more_fails_and_names_them() -> None:
    wanted = (
        "4 statements ran\n  3 x SELECT books.id FROM books\n  1 x SELECT books.title FROM books"
    )
    with (
        pytest.raises(AssertionError, match=re.escape(f"{wanted}; at most 3 may")),
        statement_limit(3),
    ):
        await _run(4)


async def test_bulk_is_one_statement_and_savepoints_count() -> None:
    rows = [{"text": str(number)} for number in range(50)]
    with statement_limit(3) as found:
        async with AsyncSessionFactory.begin() as db, db.begin_nested():
            on = await db.connection(execution_options=BATCHES)
            await on.execute(insert(Note).returning(Note.id), rows)

    assert found.counts.total() == 3


async def test_requests_that_are_answered_meanwhile_count(client: httpx2.AsyncClient) -> None:
    with statement_limit(2) as found:
        await client.get("/books")
        await TITLES.all(engine)

    assert found.counts.total() == 2


async def _run_and_fail() -> None:
    await _run(2)
    raise ZeroDivisionError


async def test_error_of_the_block_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), statement_limit(0):
        await _run_and_fail()


async def test_what_runs_after_the_block_does_not_count() -> None:
    with statement_limit(1) as found:
        await _run(1)
    await _run(3)

    assert found.counts.total() == 1


@pytest.fixture
async def repeating(main_database: str) -> AsyncIterator[httpx2.AsyncClient]:
    assert main_database
    service = create_app()
    service.router.routes.extend(odd.routes)
    async with serve(service) as url, httpx2.AsyncClient(base_url=url) as client:
        yield client


@pytest.mark.repeats_statements("to see that others may not")
async def test_test_whose_request_repeats_a_statement_fails(
    repeating: httpx2.AsyncClient, request: pytest.FixtureRequest
) -> None:
    unmarked, marked = (pytest_runtest_call(each) for each in (request.node.parent, request.node))
    for call in (unmarked, marked):
        next(call)
    await repeating.post("/odd/acts/by_the_driver")

    told = f"POST /odd/acts/{{name}} ran one statement {TIMES} times: SELECT books.title FROM books"
    with pytest.raises(pytest.fail.Exception, match=re.escape(told)):
        unmarked.send(None)
    with pytest.raises(StopIteration):
        marked.send(None)
