"""How the service scales: by workers, rows of the table, connections, and rows of an answer.

make scale, or python -m benchmarks.scale --quick in some two minutes; the full run takes less than
twelve and writes the README. Load, PostgreSQL and service share one machine. What the machine has
no room for (disk, files that may be open) is left out, and the page says so.
"""

import argparse
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import scale_page
from benchmarks.data import FOLDER, PORT, SETTINGS, Database, make_database
from benchmarks.lineup import (
    CEILING,
    NEWEST_ID,
    OURS,
    QUIET,
    SERVE,
    UVICORN,
    Contender,
    by_key,
)
from benchmarks.load import Load, allow_open_files, kept_alive, put_requests
from benchmarks.processes import CORES, Server, leave_a_core_free
from benchmarks.run import RESULTS, about, show
from benchmarks.works import WORKS, Request, requests
from plumbline.db.embedded import DATABASE, run_postgres
from plumbline.db.embedded import Server as Postgres

MARK = "<!-- written by benchmarks.scale: {} -->"
BYTES_A_POST = 450  # with its indexes; PostgreSQL 18
SPARE_BYTES = 6 * 2**30  # the write-ahead log, and what else the machine wants
WRITING_SECONDS = 300  # the longest that writing one table may take
SPARE_FILES = 200  # of the service, beside its connections
ASKED = 20_000
BUSY = 32  # of the connections that are kept open
MANY = 500  # connections: from here on a window is longer, or most get no answer within it
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

    def steps(self) -> int:
        """Loads: two works by workers, three by posts and connections, two by rows."""
        sizes = 2 * len(self.workers) + 3 * len(self.posts)
        return self.rounds * (sizes + 3 * len(self.connections) + 2 * len(self.rows))


FULL = Plan()
QUICK = Plan((1, 2), (1_000, 10_000), (1, 32, 512), (1, 20, 100), 1, 1)


@dataclass
class Run:
    """`left_out` has a sentence for each size that this machine has no room for."""

    plan: Plan
    progress: Progress
    left_out: list[str] = field(default_factory=list)
    seconds_a_post: float = 0.0  # of writing, as the last table took

    def __post_init__(self) -> None:
        self.task = self.progress.add_task("starting", total=self.plan.steps())

    def by_round(self, doing: str, asks: dict[int, Callable[[], Load]]) -> dict[int, Load]:
        """Of several rounds over all sizes, the one in the middle by its answers a second."""
        found: dict[int, list[Load]] = {size: [] for size in asks}
        for _ in range(self.plan.rounds):
            for size, ask in asks.items():
                self.progress.update(self.task, advance=1, description=f"{doing} {size:,}")
                found[size].append(ask())
        return {size: _middle(loads) for size, loads in found.items()}


def _middle(loads: list[Load]) -> Load:
    return sorted(loads, key=lambda load: load.per_second)[len(loads) // 2]


@contextmanager
def serving(contender: Contender, database: Database) -> Iterator[Server]:
    server = Server(contender, database.url)
    server.start()
    try:
        put_requests(server, one_post(database.posts, random.Random(0)), 32, 1)  # to warm up
        yield server
    finally:
        server.stop()


def one_post(posts: int, rng: random.Random) -> list[Request]:
    """More than a window takes: what was read once is in memory."""
    return [Request("GET", f"/api/v1/posts/{rng.randint(1, posts)}") for _ in range(ASKED)]


def by_workers(run: Run, database: Database) -> Series:
    """On all cores, which the load and PostgreSQL share with the workers."""
    works = ("one", "create")
    series: Series = {WORKS[work]: {} for work in works}
    for workers in run.plan.workers:
        command = (*SERVE.server[:-1], f"--workers={workers}", "--port")
        many = Contender(f"{workers} workers", OURS.app, by_key, command, len(CORES))
        with serving(many, database) as server:
            for work in works:
                asked = requests(work, OURS, 1_000)
                ask = partial(put_requests, server, asked, 32, run.plan.seconds)
                series[WORKS[work]] |= run.by_round("workers:", {workers: ask})
    database.reset()
    return series


def by_posts(run: Run, postgres: Postgres) -> Series:
    """Over one connection: how long an answer takes."""
    series: Series = {WORKS[work]: {} for work in ("one", "list", "create")}
    for posts in run.plan.posts:
        if why_not := too_many_posts(run, posts):
            run.left_out.append(why_not)
            continue
        began = time.monotonic()
        database = written(run, postgres, f"blog_{posts}", posts)
        run.seconds_a_post = (time.monotonic() - began) / posts
        with serving(OURS, database) as server:
            for work in ("one", "list", "create"):
                ask = partial(ask_for, server, work, posts, random.Random(posts), run.plan.seconds)
                series[WORKS[work]] |= run.by_round("posts:", {posts: ask})
        database.reset()
    return series


def ask_for(server: Server, work: str, posts: int, rng: random.Random, seconds: int) -> Load:
    """Each round for other posts."""
    asked = one_post(posts, rng) if work == "one" else requests(work, OURS, 1_000)
    return put_requests(server, asked, 1, seconds)


def written(run: Run, postgres: Postgres, name: str, posts: int) -> Database:
    """The first time that has a bar of its own."""
    run.progress.stop()
    try:
        return make_database(postgres, name, posts)
    finally:
        run.progress.start()


def too_many_posts(run: Run, posts: int) -> str | None:
    """Why this machine writes no such table; None when it does."""
    free, needed = shutil.disk_usage(FOLDER).free, posts * BYTES_A_POST + SPARE_BYTES
    if free < needed:
        gib = (each / 2**30 for each in (needed, free))
        return "{:,} posts are left out: they need {:.0f} GiB of disk, and {:.0f} are free.".format(
            posts, *gib
        )
    if (seconds := run.seconds_a_post * posts) > WRITING_SECONDS:
        return (
            f"{posts:,} posts are left out: it would take {seconds / 60:.0f} minutes to write them."
        )
    return None


def possible_connections(run: Run) -> list[int]:
    files = allow_open_files()
    for each in run.plan.connections:
        if each + SPARE_FILES > files:
            run.left_out.append(f"{each:,} connections are left out: {files:,} files may be open.")
    return [each for each in run.plan.connections if each + SPARE_FILES <= files]


def by_connections(run: Run, database: Database) -> Series:
    """All are open, and BUSY of them ask; besides, what happens when all of them ask at once."""
    sizes, seconds = possible_connections(run), run.plan.seconds

    def some(server: Server, connections: int) -> Load:
        with kept_alive(server.port, connections - BUSY):
            asked = one_post(NEWEST_ID, random.Random(connections))
            return put_requests(server, asked, min(connections, BUSY), seconds)

    def every(server: Server, connections: int) -> Load:
        asked = one_post(NEWEST_ID, random.Random(connections))
        return put_requests(server, asked, connections, seconds * (1 + (connections > MANY)))

    patient = [
        replace(each, server=(*UVICORN, *QUIET, "--timeout-keep-alive=75", each.app, "--port"))
        for each in (CEILING, OURS)
    ]
    at_once = by_size(run, database, "connections at once:", sizes, every, [OURS])
    return by_size(run, database, "connections kept:", sizes, some, patient) | {
        scale_page.AT_ONCE: at_once[OURS.name]
    }


def by_size(
    run: Run,
    database: Database,
    doing: str,
    sizes: Sequence[int],
    ask: Ask,
    contenders: Sequence[Contender] = (CEILING, OURS),
) -> Series:
    series: Series = {}
    for contender in contenders:
        with serving(contender, database) as server:
            asks = {size: partial(ask, server, size) for size in sizes}
            series[contender.name] = run.by_round(doing, asks)
    return series


def measure(run: Run) -> tuple[dict[str, Series], str]:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    seconds, settings = run.plan.seconds, SETTINGS | {"max_wal_size": "4GB"}

    def page(server: Server, rows: int) -> Load:
        return put_requests(server, [Request("GET", "/api/v1/posts", f"limit={rows}")], 32, seconds)

    with run_postgres(FOLDER / "postgres", port=PORT, settings=settings, say=print) as postgres:
        database = written(run, postgres, DATABASE, NEWEST_ID)
        return {
            "workers": by_workers(run, database),
            "posts": by_posts(run, postgres),
            "connections": by_connections(run, database),
            "rows": by_size(run, database, "rows:", run.plan.rows, page),
        }, about(database.version)


def keep(file: Path, measured: dict[str, Series], facts: list[str]) -> None:
    """Before anything is drawn of it."""
    kept = {
        topic: {
            name: {size: asdict(load) for size, load in loads.items()}
            for name, loads in series.items()
        }
        for topic, series in measured.items()
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"facts": facts, "measured": kept}, indent=1))


def read(file: Path) -> tuple[dict[str, Series], list[str]]:
    """What `keep` has written."""
    kept = json.loads(file.read_text())
    measured: dict[str, Series] = {
        topic: {
            name: {int(size): Load(**load) for size, load in loads.items()}
            for name, loads in series.items()
        }
        for topic, series in kept["measured"].items()
    }
    return measured, kept["facts"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="some two minutes, less exact")
    parser.add_argument("--draw", action="store_true", help="only draw again what was measured")
    options = parser.parse_args()
    folder = FOLDER / "quick" if options.quick else RESULTS
    if not options.draw:
        leave_a_core_free()
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        ) as progress:
            run = Run(QUICK if options.quick else FULL, progress)
            measured, facts = measure(run)
        keep(folder / "scale.json", measured, [facts, *run.left_out])
    page = scale_page.write(*read(folder / "scale.json"), folder)
    print(page)
    if not options.quick:
        show(page, MARK)


if __name__ == "__main__":
    main()
