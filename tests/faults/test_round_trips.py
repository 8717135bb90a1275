"""What each route of the service asks of PostgreSQL: exact, for any number of rows.

What a read, a write and a key cost at all: library/plumbline_tests/faults/test_round_trips.py.
"""

from contextlib import closing
from dataclasses import dataclass

import pytest

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.wire import JSON, Answer, Wire
from plumbline_tests.proxy import Proxy
from tests.faults.writers import add_writers, signed_in

API = "/api/v1"
MANY = 50


@dataclass
class Scene:
    proxy: Proxy
    service: Service
    post_id: int
    user_id: int


@pytest.fixture(scope="module")
def scene(_database: Database, counted: tuple[Proxy, Service]) -> Scene:
    """An admin with `MANY` posts."""
    _database.query("DELETE FROM users WHERE username = 'counter'")  # xdist may come back to this
    add_writers(_database.url(), ["counter"])
    _database.query("UPDATE users SET role = 'admin' WHERE username = 'counter'")
    user_id = _database.query("SELECT id FROM users WHERE username = 'counter'")[0][0]
    sql = "INSERT INTO posts (title, content, author_id) SELECT 'x', 'x', %s"
    _database.query(f"{sql} FROM generate_series(1, {MANY})", user_id)
    post_id = _database.query("SELECT max(id) FROM posts")[0][0]
    return Scene(*counted, post_id, user_id)


READS = {  # round trips, each of which is a statement
    "/posts/{post_id}": 1,
    "/posts?limit={limit}": 1,
    "/posts?limit={limit}&author_id={user_id}": 1,
    "/users/me": 1,
    "/users/{user_id}": 1,
    "/users/{user_id}/posts?limit={limit}": 2,  # is there such a user? and the posts
    # Who asks? on record in a transaction (three), the users, and is it still an admin?
    "/users?limit={limit}": 6,
    "/auth/tokens": 2,
    "/audit?limit={limit}": 6,
}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("limit", [1, MANY])
async def test_read_takes_as_many_round_trips_as_its_answer_needs(
    path: str, limit: int, scene: Scene
) -> None:
    asked = API + path.format(limit=limit, post_id=scene.post_id, user_id=scene.user_id)
    with closing(scene.service.wire(signed_in("counter"))) as wire:
        await wire.get(asked)
        before = scene.proxy.round_trips
        answer = await wire.get(asked)

    assert answer.status == 200
    assert scene.proxy.round_trips - before == READS[path]


async def _create(wire: Wire, _: Scene) -> Answer:
    return await wire.post(f"{API}/posts", {"title": "x", "content": "x"})


async def _change(wire: Wire, scene: Scene) -> Answer:
    path, body = (
        f"{API}/posts/{scene.post_id}",
        f'{{"title": "{scene.proxy.round_trips}"}}'.encode(),
    )
    return await wire.request("PATCH", path, body, JSON, **{"If-Match": "*"})


async def _delete(wire: Wire, scene: Scene) -> Answer:
    scene.post_id -= 1
    return await wire.request("DELETE", f"{API}/posts/{scene.post_id + 1}")


async def _change_email(wire: Wire, scene: Scene) -> Answer:
    body = f'{{"email": "{scene.proxy.round_trips}@example.com"}}'.encode()
    return await wire.request("PATCH", f"{API}/users/me", body, JSON)


async def _change_role(wire: Wire, scene: Scene) -> Answer:
    path = f"{API}/users/{scene.user_id}"
    return await wire.request("PATCH", path, b'{"role": "admin"}', JSON)


WRITES = {  # why each is there: benchmarks/README.md
    "create_post": (_create, 4),
    "update_post": (_change, 5),
    "delete_post": (_delete, 5),
    "update_me": (_change_email, 10),
    "update_user": (_change_role, 7),
}


@pytest.mark.parametrize("name", WRITES)
async def test_write_takes_no_needless_round_trip(name: str, scene: Scene) -> None:
    """The least of some."""
    (ask, expected), counts = WRITES[name], []
    with closing(scene.service.wire(signed_in("counter"))) as wire:
        for _ in range(4):
            before = scene.proxy.round_trips
            assert (await ask(wire, scene)).status // 100 == 2
            counts.append(scene.proxy.round_trips - before)

    assert min(counts) == expected
