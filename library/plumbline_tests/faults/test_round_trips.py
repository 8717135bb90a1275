"""What reads, writes and keys ask of PostgreSQL, counted on the wire: exact, for any row count."""

from contextlib import closing
from dataclasses import dataclass

import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import write
from plumbline_tests.faults.wire import JSON, Answer, Wire
from plumbline_tests.faults.writers import WRITERS, signed_in
from plumbline_tests.proxy import Proxy

AUTHOR = WRITERS[0]
MANY = 50


@dataclass
class Scene:
    proxy: Proxy
    service: Service
    book_id: int


@pytest.fixture(scope="module")
def scene(_database: Database, counted: tuple[Proxy, Service]) -> Scene:
    """An author with `MANY` books."""
    sql = "INSERT INTO books (title, content, author_id) SELECT 'x', 'x', id FROM authors"
    _database.query(f"{sql}, generate_series(1, {MANY}) WHERE name = %s", AUTHOR)
    return Scene(*counted, _database.query("SELECT max(id) FROM books")[0][0])


READS = {  # round trips, each of which is a statement
    "/books/{book_id}": 1,
    "/books?limit={limit}": 1,
    "/me": 1,
}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("limit", [1, MANY])
async def test_read_takes_as_many_round_trips_as_its_answer_needs(
    path: str, limit: int, scene: Scene
) -> None:
    asked = path.format(limit=limit, book_id=scene.book_id)
    with closing(scene.service.wire(signed_in(AUTHOR))) as wire:
        await wire.get(asked)
        before = scene.proxy.round_trips
        answer = await wire.get(asked)

    assert answer.status == 200
    assert scene.proxy.round_trips - before == READS[path]


async def _create(wire: Wire, _: Scene) -> Answer:
    return await write(wire)


async def _change(wire: Wire, scene: Scene) -> Answer:
    body = f'{{"title": "{scene.proxy.round_trips}"}}'.encode()
    path = f"/books/{scene.book_id}"
    return await wire.request("PATCH", path, body, JSON, **{"If-Match": "*"})


async def _delete(wire: Wire, scene: Scene) -> Answer:
    scene.book_id -= 1
    return await wire.request("DELETE", f"/books/{scene.book_id + 1}")


WRITES = {  # each asks who it is, begins with its number, and commits
    "create_book": (_create, 4),  # INSERT
    "update_book": (_change, 5),  # SELECT … FOR UPDATE, UPDATE
    "delete_book": (_delete, 5),  # SELECT … FOR UPDATE, DELETE
}


@pytest.mark.parametrize("name", WRITES)
async def test_write_takes_no_needless_round_trip(name: str, scene: Scene) -> None:
    """The least of some."""
    (ask, expected), counts = WRITES[name], []
    with closing(scene.service.wire(signed_in(AUTHOR))) as wire:
        for _ in range(4):
            before = scene.proxy.round_trips
            assert (await ask(wire, scene)).status // 100 == 2
            counts.append(scene.proxy.round_trips - before)

    assert min(counts) == expected


async def test_key_adds_three_round_trips(scene: Scene) -> None:
    """A look for a kept answer, another under its lock, and the answer that is kept.

    The lock goes along with BEGIN.
    """
    counts = []
    for number in range(4):
        key = {"Idempotency-Key": f"a-random-key-number-{number}"}
        with closing(scene.service.wire(signed_in(AUTHOR) | key)) as wire:
            before = scene.proxy.round_trips
            await write(wire)
            counts.append(scene.proxy.round_trips - before)

    assert min(counts) == WRITES["create_book"][1] + 3
