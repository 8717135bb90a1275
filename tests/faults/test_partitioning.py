"""examples/partitions: posts and the record become partitioned while people use them."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from time import perf_counter

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine

from app.core.config import settings
from app.db.schema import migrations
from examples.partitions.bounds import POSTS_EACH, make_ahead
from plumbline.db.migrate import Migrations
from plumbline.db.url import psycopg_url
from plumbline_tests.faults.crowd import own_engine, using
from plumbline_tests.faults.fixtures import NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.torture import Amount, Figure
from plumbline_tests.waiting import until
from tests.faults.writers import WRITERS, add_writers, signed_in
from tests.postgres import ROOT

API = "/api/v1/posts"
RECIPE = ROOT / "examples/partitions"
SCRIPTS = ("prepare_partitions", "partition_posts_and_audit")
TABLES = ["posts", "posts_first", "audit_events", "audit_events_first", "users"]
POSTS = """
    INSERT INTO posts (title, content, author_id) SELECT 'before', repeat('x', 200), min(users.id)
    FROM users, generate_series(1, %s) GROUP BY generate_series
"""
RECORD = "INSERT INTO audit_events (action) SELECT 'before' FROM generate_series(1, %s)"
ADMIN = "UPDATE users SET role = 'admin' WHERE username = %s"


@pytest.fixture
def recipe(tmp_path: Path) -> Migrations:
    """The service's migrations, with those of the example behind them."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.scripts, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for script in SCRIPTS:
        shutil.copy(RECIPE / f"{script}.py", folder / "versions")
    patient = settings.model_copy(update={"MIGRATION_TRIES": 1000})  # however busy the machine is
    return replace(migrations, scripts=folder, settings=patient)


@dataclass
class Use:
    """What those were told who use the service; `stored` are the posts that must be there."""

    answers: Counter[int] = field(default_factory=Counter)
    stored: set[int] = field(default_factory=set)
    deleted: int = 0
    longest: float = 0
    is_over: bool = False

    async def more(self, number: int) -> None:
        enough = self.answers.total() + number
        await until(lambda: self.answers.total() >= enough)


@asynccontextmanager
async def used(service: Service) -> AsyncIterator[Use]:
    """People write, read and list posts; an admin deletes every fourth, which is put on record."""
    use = Use()
    async with asyncio.TaskGroup() as group:
        for name in WRITERS[1:7]:
            group.create_task(_use(service, name, use))
        try:
            yield use
        finally:
            use.is_over = True


async def _use(service: Service, name: str, use: Use) -> None:
    wire, admin = service.wire(signed_in(name)), service.wire(signed_in(WRITERS[0]))
    for number in count():
        if use.is_over:
            break
        written = await wire.post(API, {"title": name, "content": "x"})
        answers = [written, await wire.get(f"{API}?limit=5")]
        if written.status == 201:
            post_id = written.json()["id"]
            use.stored.add(post_id)
            answers.append(await wire.get(f"{API}/{post_id}"))
            if number % 4 == 0:
                answers.append(await admin.request("DELETE", f"{API}/{post_id}"))
                use.stored.discard(post_id)
                use.deleted += answers[-1].status == 204
        use.answers.update(answer.status for answer in answers)
        use.longest = max(use.longest, *(answer.seconds for answer in answers))
    wire.close()
    admin.close()


def _migrate(recipe: Migrations, url: str, revision: str) -> "asyncio.Task[float]":
    """Gives the seconds that it took."""

    def run() -> float:
        started = perf_counter()
        recipe.upgrade(url, revision)
        return perf_counter() - started

    return asyncio.create_task(asyncio.to_thread(run))


def _made_ahead(url: str) -> list[str]:
    """As the job does it."""
    engine = create_engine(psycopg_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        return make_ahead(connection)


async def test_tables_in_use_become_partitioned_and_nobody_notices(
    recipe: Migrations,
    clone: Callable[[], str],
    new_service: NewService,
    amount: Amount,
    figure: Figure,
) -> None:
    url, rows, more = clone(), amount(1_000, 1_000_000), amount(20, 2_000)
    add_writers(url)
    with psycopg.connect(url, autocommit=True) as db:
        for statement, value in ((POSTS, rows), (RECORD, rows), (ADMIN, WRITERS[0])):
            db.execute(statement, [value])
        service = await new_service(url)
        async with used(service) as use, own_engine(url) as engine:
            await use.more(more)
            calm, use.longest = use.longest, 0
            async with using(engine, {"users": ["is_active"]}, watched=TABLES) as usage:
                prepared = await _migrate(recipe, url, "8c2f5e0d6a41")
                with psycopg.connect(url) as reader:  # the migration steps back, and comes again
                    reader.execute("SELECT FROM posts LIMIT 1")
                    partitioning = _migrate(recipe, url, "d41b7a9c3e58")
                    await until(lambda: partitioning.done() or usage.tries)
                seconds = await partitioning
            longest = use.longest
            await use.more(more)
            db.execute("SELECT setval('posts_id_seq', %s)", [2 * POSTS_EACH - 3])
            await use.more(more)  # over the bound, and into the next partition
            added = await asyncio.to_thread(_made_ahead, url)
            await use.more(more)

        posts = {row[0] for row in db.execute("SELECT id FROM posts WHERE title <> 'before'")}
        counted = db.execute(
            "SELECT (SELECT count(*) FROM posts WHERE title = 'before'), (SELECT count(*) FROM "
            "audit_events WHERE action = 'before'), (SELECT count(*) FROM audit_events WHERE "
            "action = 'post deletion'), (SELECT count(DISTINCT tableoid) FROM posts)"
        ).fetchone()
    assert "posts_30000000" in added
    assert use.answers.keys() == {200, 201, 204}
    assert usage.errors == []
    assert posts == use.stored
    assert counted == (rows, rows, use.deleted, 2)
    figure(
        f"posts and record of {rows:,} rows partitioned under {use.answers.total():,} requests",
        f"0 failed, 0 lost; prepared in {prepared:.1f} s, partitioned in {seconds:.2f} s and "
        f"{len(usage.tries)} tries; {usage}; longest request {longest:.1f} s, before {calm:.1f} s",
    )


async def test_row_without_a_partition_is_a_503_and_the_log_says_what_to_do(
    recipe: Migrations, clone: Callable[[], str], new_service: NewService
) -> None:
    url = clone()
    add_writers(url)
    recipe.upgrade(url)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("SELECT setval('posts_id_seq', %s)", [4 * POSTS_EACH])
    service = await new_service(url)
    with closing(service.wire(signed_in(WRITERS[0]))) as wire:
        refused = await wire.post(API, {"title": "x", "content": "x"})
        added = await asyncio.to_thread(_made_ahead, url)
        accepted = await wire.post(API, {"title": "x", "content": "x"})

    assert (refused.status, refused.problem) == (503, "/problems/unavailable")
    assert "add the next ones" in service.logged()
    assert ("posts_40000000" in added, accepted.status) == (True, 201)
