"""Reads from replicas: nobody misses what they wrote, or sees less than they saw before.

Replay is paused to make a replica stale, so no test waits for one to be slow.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest

from plumbline.db import engine as engines
from plumbline.db import following
from plumbline.db.engine import Engine, create_engine
from plumbline.db.reading import parse_tokens
from plumbline.db.replica import Replica
from plumbline.http.consistency import COOKIE, COOKIE_OF_REPLICA, HEADER
from plumbline.settings import DatabaseSettings
from plumbline_tests.faults.database import Database, running_replica
from plumbline_tests.faults.fixtures import FreePort, NewProxy
from plumbline_tests.replicated import PORT, make_engine, read_url, replicas_of, serving
from plumbline_tests.waiting import until

FORGED = "0123abcd.1"  # of a primary that nobody knows
ROUTES = ("/compiled", "/session")


@dataclass
class Notes:
    """A service with one replica, and a caller who sends back the token of the last answer."""

    client: httpx2.AsyncClient
    engine: Engine
    primary: Database
    replica: Database
    token: str = ""

    @property
    def known(self) -> Replica:
        """What this process knows of the replica."""
        return replicas_of(self.engine).all[0]

    async def write(self, path: str) -> int:
        """Give the id of a new note."""
        made: int = await self._send("POST" if path.count("/") == 2 else "PUT", path)
        return made

    async def read(self, path: str) -> dict[str, object]:
        found: dict[str, object] = await self._send("GET", path)
        return found

    async def _send(self, method: str, path: str) -> Any:  # noqa: ANN401 - of any route
        headers = {HEADER: self.token} if self.token else {}
        response = await self.client.request(method, path, headers=headers)
        assert response.status_code == 200, response.text
        self.token = response.headers[HEADER]
        return response.json()

    async def pause_replay(self) -> None:
        self.replica.query("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        await until(lambda: self.replica.query(state) == [("paused",)])

    async def until_known(self) -> None:
        """Until this process knows that the replica has all that the caller has seen."""
        self.replica.query("SELECT pg_wal_replay_resume()")
        await until(lambda: self.known.moment >= parse_tokens([self.token])[0].moment)


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """These tests are not about silence: a busy machine may take its time to answer."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(following, "SILENT_SECONDS", 60)
        patched.setattr(engines, "REPLICA_CONNECT_SECONDS", 60)
        yield


@pytest.fixture(scope="module")
async def replica(
    _database: Database, tmp_path_factory: pytest.TempPathFactory, free_port: FreePort
) -> AsyncIterator[Database]:
    folder = tmp_path_factory.mktemp("replica") / "data"
    async with running_replica(_database, folder, free_port()) as made:
        yield made


@pytest.fixture(scope="module")
async def _notes(_database: Database, replica: Database) -> AsyncIterator[Notes]:
    engine, settings = make_engine(_database.url(), replica.port)
    async with serving(engine, settings) as client:
        made = Notes(client, engine, _database, replica)
        await made.write("/notes/first")  # from the first request on the servers are asked
        await until(lambda: made.known.moment)
        yield made


@pytest.fixture
def notes(_notes: Notes) -> Iterator[Notes]:
    _notes.token = ""
    yield _notes
    _notes.replica.query("SELECT pg_wal_replay_resume()")


async def test_caller_reads_what_they_wrote_and_nobody_sees_less_than_before(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    for route in ROUTES:
        assert (await notes.read(f"{route}/{note_id}"))["port"] == notes.replica.port

    await notes.pause_replay()
    await notes.write(f"/notes/{note_id}/new")
    own = [await notes.read(f"{route}/{note_id}") for route in ROUTES]
    stranger = (await notes.client.get(f"/compiled/{note_id}")).json()

    assert own == [{"text": "new", "port": notes.primary.port}] * 2
    assert stranger == {"text": "old", "port": notes.replica.port}

    await notes.until_known()
    for route in ROUTES:
        assert await notes.read(f"{route}/{note_id}") == {"text": "new", "port": notes.replica.port}


async def test_who_has_read_from_the_primary_sees_no_less_afterwards(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    await notes.pause_replay()
    await notes.client.put(f"/notes/{note_id}/new")  # somebody else

    notes.token = FORGED
    texts = [(await notes.read(f"{route}/{note_id}"))["text"] for route in (*ROUTES, *ROUTES)]

    assert texts == ["new"] * 4


@pytest.mark.parametrize(
    "forged",
    [
        FORGED,
        "no token",
        "0123abcd.999999999999999999.89abcdef",
        "{own}.999999999999999999",
        "{own}.0.89abcdef, {own}.999999999999999999",
        ",".join(["{own}.1"] * 30),
        "é",
    ],
)
async def test_forged_token_costs_a_read_of_the_primary(notes: Notes, forged: str) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    own = replicas_of(notes.engine).primary.name
    value = forged.replace("{own}", own).encode()

    for name in (HEADER, "Cookie"):
        brought = value if name == HEADER else COOKIE.encode() + b"=" + value
        response = await notes.client.get(
            f"/compiled/{note_id}", headers=[(name.encode(), brought)]
        )
        assert response.status_code == 200
        assert response.json()["port"] == notes.primary.port


async def test_browser_keeps_what_it_wrote_although_a_read_is_answered_later(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    await notes.pause_replay()
    earlier = await notes.client.get(f"/compiled/{note_id}")
    jar = SimpleCookie((await notes.client.put(f"/notes/{note_id}/new")).headers["Set-Cookie"])
    jar.load(earlier.headers["Set-Cookie"])

    cookies = "; ".join(f"{name}={each.value}" for name, each in jar.items())
    response = await notes.client.get(f"/compiled/{note_id}", headers={"Cookie": cookies})

    assert jar.keys() == {COOKIE, COOKIE_OF_REPLICA}
    assert response.json()["text"] == "new"
    for each in jar.values():
        assert (each["httponly"], each["samesite"], each["path"]) == (True, "Lax", "/")
        assert each["max-age"] == "61"
        assert each["secure"] == ""


async def test_only_requests_that_cannot_write_read_from_replicas(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    response = await notes.client.request("HEAD", f"/compiled/{note_id}")
    head = parse_tokens([response.headers[HEADER]])[0]
    post = await notes.client.post("/port")

    assert head.replica == notes.known.name
    assert post.json() == notes.primary.port
    assert await PORT.find(notes.engine) == notes.primary.port
    assert (await notes.client.get("/newest")).json() == notes.primary.port


async def test_request_that_writes_although_it_is_a_get_reads_what_it_wrote(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    await notes.pause_replay()

    found = [await notes.read(f"/{kind}/{note_id}") for kind in ("visits", "compiled", "session")]

    assert found == [{"text": "visited", "port": notes.primary.port}] * 3


async def test_replica_that_ends_its_sessions_fails_nobody(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    for route in ROUTES:
        await notes.read(f"{route}/{note_id}")
        await notes.replica.end_sessions()
        assert (await notes.read(f"{route}/{note_id}"))["text"] == "old"


@pytest.mark.parametrize("route", ROUTES)
async def test_read_of_a_replica_that_is_left_is_done_by_the_primary(
    notes: Notes, route: str
) -> None:
    await notes.write("/notes/old")
    await notes.until_known()
    running = (
        "SELECT pid FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()"
    )

    reading = asyncio.create_task(notes.client.get(f"/slow{route}"))
    await until(lambda: notes.replica.query(running))
    notes.known.leave()  # as when it is silent

    assert ((await reading).status_code, (await reading).json()) == (200, 0)
    assert notes.known.pool.checkedout() == 0


async def test_replica_that_does_not_have_a_new_table_fails_nobody(notes: Notes) -> None:
    note_id = await notes.write("/notes/old")
    await notes.until_known()
    await notes.pause_replay()
    notes.primary.query("CREATE TABLE papers (id int)")

    responses = [await notes.client.get(f"/papers{route}") for route in ROUTES]
    others = (await notes.client.get(f"/compiled/{note_id}")).json()

    assert [(each.status_code, each.json()) for each in responses] == [(200, 0)] * 2
    assert others["port"] == notes.replica.port
    notes.primary.query("DROP TABLE papers")


async def test_replica_that_is_too_far_behind_is_left_and_comes_back(
    database: Database, replica: Database
) -> None:
    engine, settings = make_engine(database.url(), replica.port, max_lag_seconds=0.2)
    async with serving(engine, settings) as client:
        notes, replicas = Notes(client, engine, database, replica), replicas_of(engine)
        note_id = await notes.write("/notes/old")
        await until(lambda: replicas.is_usable(notes.known))
        await notes.pause_replay()
        await notes.write(f"/notes/{note_id}/new")
        written = parse_tokens([notes.token])[0].moment
        await until(lambda: replicas.primary.moment > written + 200_000)

        assert not replicas.is_usable(notes.known)
        stranger = await client.get(f"/compiled/{note_id}")
        replica.query("SELECT pg_wal_replay_resume()")

        assert stranger.json() == {"text": "new", "port": database.port}
        await until(lambda: replicas.is_usable(notes.known))


async def test_read_of_a_replica_is_one_round_trip(
    database: Database, replica: Database, new_proxy: NewProxy
) -> None:
    proxy = await new_proxy(replica)
    engine, settings = make_engine(database.url(), proxy.port)
    async with serving(engine, settings) as client:
        notes = Notes(client, engine, database, replica)
        note_id = await notes.write("/notes/old")
        await until(lambda: notes.known.moment)
        answered: list[object] = []
        while answered[-2:] != [replica.port] * 2:  # prepared there, and the connection open
            await notes.until_known()
            answered.append((await notes.read(f"/compiled/{note_id}"))["port"])
        replicas_of(engine).stop()
        before = proxy.round_trips, proxy.connections

        ports = [(await notes.read(f"/compiled/{note_id}"))["port"] for _ in range(10)]

        assert ports == [replica.port] * 10
        assert (proxy.round_trips - before[0], proxy.connections) == (10, before[1])


async def test_of_several_hosts_the_primary_is_found_also_behind_a_standby(
    database: Database, replica: Database
) -> None:
    engine = create_engine(DatabaseSettings(DATABASE_URL=read_url(replica.port, database.port)))

    assert await PORT.find(engine) == database.port
    await engine.dispose()
