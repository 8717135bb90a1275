"""How the service scales: by workers, rows of the table, connections, and rows of an answer.

python -m benchmarks.scale, or with --quick in a minute or two; the full run writes the README.
Load, PostgreSQL and service share one machine.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from rich.progress import track

from benchmarks.data import FOLDER, PORT, SETTINGS, Database, make_database
from benchmarks.lineup import CEILING, NEWEST_ID, OURS, Contender, by_key
from benchmarks.load import Load, put_requests
from benchmarks.plots import curves
from benchmarks.processes import CORES, Server, leave_a_core_free
from benchmarks.run import RESULTS, about, show
from benchmarks.tables import table
from benchmarks.works import WORKS, Request, requests
from plumbline.db.embedded import DATABASE, run_postgres
from plumbline.db.embedded import Server as Postgres

MARK = "<!-- written by benchmarks.scale: {} -->"
SERVE = (sys.executable, "-m", "app.cli", "serve")
Series = dict[str, dict[int, Load]]  # by what is measured, then by its size
Ask = Callable[[Server, int], Load]


@dataclass(frozen=True)
class Plan:
    workers: tuple[int, ...] = (1, 2, 4)
    posts: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    connections: tuple[int, ...] = (1, 8, 32, 128, 512, 2_000)
    rows: tuple[int, ...] = (1, 10, 20, 50, 100)
    rounds: int = 3
    seconds: int = 2


FULL = Plan()
QUICK = Plan((1, 2), (1_000, 10_000), (1, 32, 512), (1, 20, 100), 1, 1)


@contextmanager
def serving(contender: Contender, database: Database) -> Iterator[Server]:
    server = Server(contender, database.url)
    server.start()
    try:
        put_requests(server, one_post(database.posts), 32, 1)  # to warm up
        yield server
    finally:
        server.stop()


def one_post(posts: int) -> list[Request]:
    rng = random.Random(posts)
    return [Request("GET", f"/api/v1/posts/{rng.randint(1, posts)}") for _ in range(1_000)]


def middle(rounds: int, ask: Callable[[], Load]) -> Load:
    """Of several rounds, the one in the middle by its requests a second."""
    loads = sorted((ask() for _ in range(rounds)), key=lambda load: load.per_second)
    return loads[len(loads) // 2]


def by_workers(database: Database, plan: Plan) -> Series:
    """On all cores, which the load and PostgreSQL share with the workers."""
    series: Series = {WORKS[work]: {} for work in ("one", "create")}
    for workers in track(plan.workers, "workers"):
        command = (*SERVE, f"--workers={workers}", "--port")
        many = Contender(f"{workers} workers", OURS.app, by_key, command, len(CORES))
        with serving(many, database) as server:
            for work in ("one", "create"):
                ask = partial(put_requests, server, requests(work, OURS, 1_000), 32, plan.seconds)
                series[WORKS[work]][workers] = middle(plan.rounds, ask)
    database.reset()
    return series


def by_posts(postgres: Postgres, plan: Plan) -> Series:
    """Over one connection: how long an answer takes."""
    series: Series = {WORKS[work]: {} for work in ("one", "list", "create")}
    for posts in plan.posts:
        database = make_database(postgres, f"blog_{posts}", posts)
        with serving(OURS, database) as server:
            for work in ("one", "list", "create"):
                asked = one_post(posts) if work == "one" else requests(work, OURS, 1_000)
                ask = partial(put_requests, server, asked, 1, plan.seconds)
                series[WORKS[work]][posts] = middle(plan.rounds, ask)
        database.reset()
    return series


def by_size(database: Database, rounds: int, sizes: Sequence[int], ask: Ask) -> Series:
    series: Series = {}
    for contender in (CEILING, OURS):
        with serving(contender, database) as server:
            series[contender.name] = {
                size: middle(rounds, partial(ask, server, size))
                for size in track(sizes, contender.name)
            }
    return series


def measure(plan: Plan) -> tuple[dict[str, Series], str]:
    with run_postgres(FOLDER / "postgres", port=PORT, settings=SETTINGS, say=print) as postgres:
        database = make_database(postgres, DATABASE, NEWEST_ID)

        def over(server: Server, connections: int) -> Load:
            return put_requests(server, one_post(NEWEST_ID), connections, plan.seconds)

        def page(server: Server, rows: int) -> Load:
            asked = [Request("GET", "/api/v1/posts", f"limit={rows}")]
            return put_requests(server, asked, 32, plan.seconds)

        return {
            "workers": by_workers(database, plan),
            "posts in the table": by_posts(postgres, plan),
            "connections": by_size(database, plan.rounds, plan.connections, over),
            "rows in an answer": by_size(database, plan.rounds, plan.rows, page),
        }, about(database.version)


def cell(load: Load) -> str:
    failed = f", {load.errors:,} refused" if load.errors else ""
    return f"{load.per_second:,.0f}/s, {load.p50_ms:.1f} / {load.p99_ms:.1f}{failed}"


def tables(measured: dict[str, Series]) -> str:
    return "\n\n".join(
        table(
            f"By {size}: answers a second, p50 / p99 in ms",
            ["", *(f"{each:,}" for each in next(iter(series.values())))],
            ([name, *(cell(load) for load in loads.values())] for name, loads in series.items()),
        )
        for size, series in measured.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute or two, less exact")
    quick = parser.parse_args().quick
    leave_a_core_free()
    measured, facts = measure(QUICK if quick else FULL)
    folder = FOLDER / "quick" if quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        f"answers a second by {size}": {
            name: {key: load.per_second for key, load in loads.items()}
            for name, loads in series.items()
        }
        for size, series in measured.items()
    }
    curves(folder / "scale.svg", "How the service scales", drawn)
    print(tables(measured))
    if not quick:
        picture = (
            f"![Answers a second by workers, posts, connections, rows]({folder.name}/scale.svg)"
        )
        show(f"{facts}\n\n{picture}\n\n{tables(measured)}", MARK)


if __name__ == "__main__":
    main()
