"""What is given up here ends in PostgreSQL too: looked at there, in its activity, locks and rows.

Nothing else can end it: PostgreSQL's own timeouts are off.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.engine import create_engine
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.db.url import asyncpg_url
from plumbline_tests.backends import checked_out
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.faults.witness import Witness
from plumbline_tests.http.connection import connect
from plumbline_tests.proxy import Proxy
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Author
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import PATIENCE_SECONDS, until

NEVER = 0
POOL = 2
LATER = 10
AN_AUTHOR = "INSERT INTO authors (name) VALUES ('jane')"
OUTLASTS = 2 * PATIENCE_SECONDS  # all that waits for the end of a statement
_SLEEPING = func.pg_sleep(OUTLASTS)
_READ = CompiledSelect(select(Author.id).where(_SLEEPING.is_not(None)), lambda number: number)
_NEW = {"name": "late", "email": "b@c", "kind": "person"}


def _new_author(*, name: str, email: str, kind: str) -> ReturningInsert[int, Any]:
    row = insert(Author).values(name=name, email=email, kind=kind)
    return row.returning(Author.id, _SLEEPING)


_WRITE = CompiledInsert(_new_author)
_numbers = itertools.count()
_UPDATE = text("UPDATE authors SET name = 'late' WHERE pg_sleep(:seconds) IS NOT NULL")

Ask = Callable[[AsyncEngine], Coroutine[Any, Any, object]]


@pytest.fixture
def witness(clone: Callable[[], str]) -> Iterator[Witness]:
    """Of a database with one user, jane."""
    url = clone()
    with psycopg.connect(url) as connection:
        connection.execute(AN_AUTHOR)
    made = Witness(url)
    yield made
    made.close()


@pytest.fixture
async def network(witness: Witness, free_port: FreePort) -> AsyncIterator[Proxy]:
    """Between `spare` and its PostgreSQL."""
    made = Proxy(free_port(), asyncpg_url(witness.url).port or 0)
    await made.accept()
    yield made
    await made.close()


@pytest.fixture
async def spare(
    witness: Witness,
    network: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[AsyncEngine]:
    """An engine of two connections."""
    for limit in ("STATEMENT", "LOCK", "IDLE_TRANSACTION"):
        monkeypatch.setattr(settings, f"DB_{limit}_TIMEOUT_SECONDS", NEVER)
    for limit, seconds in getattr(request, "param", {}).items():
        monkeypatch.setattr(settings, f"DB_{limit}_SECONDS", seconds)
    url = asyncpg_url(witness.url).set(port=network.port)
    made = create_engine(settings, url, pool_size=POOL, max_overflow=0, pool_timeout=60)
    yield made
    await made.dispose()


async def _read(spare: AsyncEngine) -> object:
    return await _READ.all(spare)


async def _write(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        name = f"late{next(_numbers)}"
        return await _WRITE.one(db, **(_NEW | {"name": name, "email": f"{name}@b"}))


async def _in_a_session(spare: AsyncEngine) -> object:
    async with AsyncSession(spare) as db:
        return await db.execute(_UPDATE, {"seconds": OUTLASTS})


async def _in_autocommit(spare: AsyncEngine, seconds: int = OUTLASTS) -> object:
    async with spare.connect() as connection:
        own = await connection.execution_options(isolation_level="AUTOCOMMIT")
        return await own.execute(_UPDATE, {"seconds": seconds})


each = pytest.mark.parametrize("ask", [_read, _write, _in_a_session, _in_autocommit])


async def _run(witness: Witness, asking: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
    """Until PostgreSQL is at work."""
    task = asyncio.create_task(asking)
    await until(lambda: witness.asleep() == 1)
    assert witness.locks() > 0
    return task


async def _cancel(task: asyncio.Task[object]) -> None:
    """Again and again until it ends, as anyio's cancel scopes do."""
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()


@each
async def test_cancelled_statement_ends_and_stores_nothing(
    ask: Ask, spare: AsyncEngine, witness: Witness
) -> None:
    task = await _run(witness, ask(spare))

    await _cancel(task)

    await until(witness.is_over)
    assert (witness.late(), checked_out(spare)) == (0, 0)


@each
@pytest.mark.parametrize("spare", [{"COMMAND_TIMEOUT": 0.5}], indirect=True)
async def test_statement_that_we_no_longer_wait_for_ends_and_stores_nothing(
    ask: Ask, spare: AsyncEngine, witness: Witness
) -> None:
    task = await _run(witness, ask(spare))

    with pytest.raises(TimeoutError):
        await task

    await until(witness.is_over)
    assert (witness.late(), checked_out(spare)) == (0, 0)


async def test_cancelled_autocommit_is_not_stored_later(
    spare: AsyncEngine, witness: Witness
) -> None:
    """It would be, a second later."""
    task = await _run(witness, _in_autocommit(spare, seconds=1))

    await _cancel(task)

    await until(witness.is_over)
    assert witness.late() == 0


async def test_cancelled_statement_ends_though_no_new_connection_is_accepted(
    spare: AsyncEngine, network: Proxy, witness: Witness
) -> None:
    """A cancellation takes a connection of its own. PostgreSQL sees that the old one is closed."""
    task = await _run(witness, _in_a_session(spare))
    network.refuse()

    await _cancel(task)

    await until(witness.is_over)
    assert witness.late() == 0


async def test_cancelled_statement_ends_though_its_connection_is_silent(
    spare: AsyncEngine, network: Proxy, witness: Witness
) -> None:
    """PostgreSQL cannot see that it is closed, but a new connection brings the cancellation."""
    task = await _run(witness, _in_a_session(spare))
    network.silence_open_connections()

    await _cancel(task)

    await until(lambda: witness.locks() == 0)
    assert witness.late() == 0


async def test_statement_of_a_process_that_was_killed_ends(
    spare: AsyncEngine, witness: Witness
) -> None:
    """Nobody asks for its end: the socket is closed, and that is all."""
    drivers: list[Any] = []
    event.listen(spare.sync_engine, "connect", lambda *made: drivers.append(made[0]))
    task = await _run(witness, _in_a_session(spare))

    drivers[0].driver_connection._transport.abort()

    await until(witness.is_over)
    await asyncio.gather(task, return_exceptions=True)
    assert witness.late() == 0


@each
async def test_pool_whose_users_give_up_has_no_more_backends_than_connections(
    ask: Ask,
    spare: AsyncEngine,
    witness: Witness,
    amount: Amount,
    figure: Figure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long PostgreSQL takes to confirm that one of them has ended."""
    monkeypatch.setattr("plumbline.db.connection.CANCEL_SECONDS", 60)
    rounds, seen = amount(3, 40), list[int]()

    def all_are_busy() -> bool:
        seen.append(witness.backends())
        return witness.asleep() == POOL

    for _ in range(rounds):
        tasks = [asyncio.create_task(ask(spare)) for _ in range(POOL * 3)]
        await until(all_are_busy)
        await asyncio.gather(*map(_cancel, tasks))

    await until(witness.is_over)
    figure(f"backends of a pool of {POOL} while {rounds * POOL * 3} requests give up", max(seen))
    assert max(seen) <= POOL


@pytest.mark.parametrize("spare", [{"CONNECT_TIMEOUT": 60}], indirect=True)
async def test_place_of_a_statement_is_free_when_its_cancellation_has_arrived(
    spare: AsyncEngine, network: Proxy, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.db.connection.CANCEL_SECONDS", 60)
    asked: list[object] = []
    event.listen(spare.sync_engine, "do_connect", lambda *_: asked.append(_))
    tasks = [asyncio.create_task(_in_a_session(spare)) for _ in range(POOL)]
    await until(lambda: witness.asleep() == POOL)
    network.silence()
    await asyncio.gather(*map(_cancel, tasks))
    await until(lambda: network.connections == POOL * 2)  # each cancellation takes one

    late = asyncio.create_task(_in_a_session(spare))
    await until(lambda: len(asked) == POOL + 1)
    await _let_connect_who_wants_to(network)

    assert network.connections == POOL * 2 + LATER
    network.restore()
    await until(lambda: witness.asleep() == 1)
    await _cancel(late)


async def _let_connect_who_wants_to(network: Proxy) -> None:
    """Connections are accepted in the order in which they come: wait for some that come now."""
    before = network.connections
    for _ in range(LATER):
        async with connect(network.port):
            pass
    await until(lambda: network.connections >= before + LATER)
