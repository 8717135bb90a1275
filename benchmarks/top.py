"""The picture of `app top`, of a service with two workers under load, drawn as SVG.

python -m benchmarks.top: a PostgreSQL with pg_stat_statements, the service with its routes that go
wrong (watched.py), some load, and for a moment a table that is locked. Writes results/top.svg.
"""

import asyncio
import io
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg
from rich.console import Console
from rich.terminal_theme import MONOKAI

from benchmarks.dashboard import (
    WRONG,
    _ask,
    _free_port,
    _of_a_post_that_is_there,
    _service,
    _until_answers,
)
from benchmarks.data import Database, make_database
from benchmarks.lineup import OURS
from benchmarks.works import HOST, requests
from plumbline.db.embedded import run_postgres
from plumbline.top.screen import render
from plumbline.top.sessions import Watcher
from plumbline.top.watching import Sources

PICTURE = Path(__file__).parent / "results" / "top.svg"
POSTS, CLIENTS, SECONDS, LOOK_SECONDS = 2_000, 12, 12, 1.0
WIDTH, HEIGHT = 100, 34
PRELOADED = {"shared_preload_libraries": "pg_stat_statements", "track_activity_query_size": "4096"}


async def _put_load(url: str) -> None:
    usual = [_of_a_post_that_is_there(each) for each in requests("mix", OURS, 2_000)]
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_ask(url, usual[number * 100 :], SECONDS))
            group.create_task(_ask(url, WRONG, SECONDS))


def _watch(url: str, database: Database) -> Console:
    """Look as `app top` does, and keep the picture of the moment in which a table is locked."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True)
    sources = Sources("app top", url, {}, Watcher(database.owner_url))
    with closing(sources.watcher):
        for _ in range(int(SECONDS / 2 / LOOK_SECONDS)):
            sources.look()
            time.sleep(LOOK_SECONDS)
        with psycopg.connect(database.owner_url, application_name="psql") as db:
            db.execute("LOCK TABLE posts")
            time.sleep(LOOK_SECONDS)
            console.print(render(sources.look(), (WIDTH, HEIGHT)))
    return console


async def draw(folder: Path, database: Database) -> None:
    port = _free_port()
    url = f"http://{HOST}:{port}"
    with _service(folder, port, database):
        await _until_answers(f"{url}/readyz")
        async with asyncio.TaskGroup() as group:
            group.create_task(_put_load(url))
            console = await asyncio.to_thread(_watch, url, database)
    console.save_svg(str(PICTURE), title="app top", theme=MONOKAI)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with run_postgres(folder / "postgres", port=_free_port(), settings=PRELOADED) as server:
            database = make_database(server, "top", POSTS)
            with psycopg.connect(database.owner_url, autocommit=True) as db:
                db.execute("CREATE EXTENSION pg_stat_statements")
                db.execute("SELECT pg_stat_statements_reset()")
            asyncio.run(draw(folder, database))
    print(PICTURE)


if __name__ == "__main__":
    main()
