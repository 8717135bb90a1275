"""How many requests a second: what each costs here, and a model that says what follows.

python -m benchmarks.capacity [--quick] measures the CPU time of a request, in the service and in
PostgreSQL, and compares the model with what 1, 2 and 4 workers answer. The full run writes
results/capacity.json, and capacity.svg where matplotlib is installed (`make bench`).
python -m benchmarks.capacity --cores 8 --workers 8 … says what the model expects elsewhere.
"""

import argparse
import json
import resource
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.data import FOLDER, PORT, SETTINGS, Database, make_database
from benchmarks.lineup import OURS, Contender, by_key
from benchmarks.load import put_requests
from benchmarks.processes import CORES, Server
from benchmarks.works import WORKS, Request, requests
from plumbline.db.embedded import run_postgres
from plumbline.settings import Settings

KINDS = ("one", "list", "me", "create")
ROUND_TRIPS = {"one": 1, "list": 1, "me": 1, "create": 4}  # tests/faults/test_round_trips.py
CONNECTIONS, SECONDS = 32, 1  # of the load, each time
QUICK = (10_000, (1, 2), 1)  # posts, workers, rounds
FULL = (100_000, (1, 2, 4), 3)
KEPT = Path(__file__).parent / "results" / "capacity.json"
PICTURE = KEPT.with_suffix(".svg")
SERVE = (sys.executable, "-m", "app.cli", "serve")


@dataclass(frozen=True)
class Cost:
    """Microseconds of CPU time for one request; `load` is what the client on this machine takes."""

    service: float
    database: float
    load: float


@dataclass(frozen=True)
class Machines:
    """What a service has: cores and workers, a database of its own, replicas as large as that."""

    cores: int
    workers: int
    database_cores: int
    replicas: int = 0
    pool: int = Settings.model_fields["DB_POOL_SIZE"].default
    network_us: float = 200  # for one round trip to the database


def limits(kind: str, cost: Cost, on: Machines) -> dict[str, float]:
    """Requests a second that each part can take; the least of them is what the service answers."""
    servers = 1 + (on.replicas if kind != "create" else 0)
    return {
        "service": min(on.workers, on.cores) * 1e6 / cost.service,
        "database": on.database_cores * servers * 1e6 / cost.database,
        "connections": on.workers * on.pool * servers * 1e6 / held_us(kind, cost, on.network_us),
    }


def held_us(kind: str, cost: Cost, network_us: float) -> float:
    """How long a request holds a connection, when nobody waits for a processor."""
    service = cost.service if kind == "create" else 0  # its own work is in between
    return ROUND_TRIPS[kind] * network_us + cost.database + service


def on_one_machine(cost: Cost, workers: int) -> float:
    """As `limits`, where load, workers and PostgreSQL share the cores."""
    cores = len(CORES)
    return min(
        workers * 1e6 / cost.service, cores * 1e6 / (cost.service + cost.database + cost.load)
    )


@contextmanager
def serving(database: Database, workers: int) -> Iterator[Server]:
    command = (*SERVE, f"--workers={workers}", "--port")
    name = f"{workers} workers"
    server = Server(Contender(name, OURS.app, by_key, command, len(CORES)), database.url)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def postgres_seconds() -> float:
    """CPU time of PostgreSQL so far; its backends live as long as the pool."""
    pid = int((FOLDER / "postgres/data/postmaster.pid").read_text().splitlines()[0])
    first = psutil.Process(pid)
    times = [each.cpu_times() for each in [first, *first.children(recursive=True)]]
    return sum(each.user + each.system for each in times)


def load_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ask(server: Server, asked: list[Request]) -> tuple[Cost, float]:
    """What a request costs, and how many there were a second."""
    before = postgres_seconds(), load_seconds()
    load = put_requests(server, asked, CONNECTIONS, SECONDS)
    done = (load.per_second * SECONDS + load.errors) or 1
    spent = postgres_seconds() - before[0], load_seconds() - before[1]
    return Cost(load.cpu_us, spent[0] / done * 1e6, spent[1] / done * 1e6), load.per_second


def measure(
    database: Database, workers: tuple[int, ...], rounds: int
) -> tuple[dict[str, Cost], dict[str, dict[int, float]]]:
    """Costs with one worker, and requests a second by workers; medians of the rounds."""
    costs, speeds = dict[str, Cost](), dict[str, dict[int, float]]()
    for count in workers:
        with serving(database, count) as server:
            for kind in KINDS:
                asked = requests(kind, OURS, 1_000)
                if kind == "one":
                    ids = [1 + n * 7919 % database.posts for n in range(1_000)]
                    asked = [Request("GET", f"/api/v1/posts/{post_id}") for post_id in ids]
                put_requests(server, asked, CONNECTIONS, 1)  # to warm up
                found = [ask(server, asked) for _ in range(rounds)]
                speeds.setdefault(kind, {})[count] = statistics.median(s for _, s in found)
                if count == workers[0]:
                    costs[kind] = middle([cost for cost, _ in found])
    database.reset()
    return costs, speeds


def middle(costs: list[Cost]) -> Cost:
    columns = zip(*(asdict(cost).values() for cost in costs), strict=True)
    return Cost(*(statistics.median(column) for column in columns))


def tell(costs: dict[str, Cost], speeds: dict[str, dict[int, float]]) -> None:
    for kind, cost in costs.items():
        parts = ", ".join(f"{name} {us:.0f}" for name, us in asdict(cost).items())
        print(f"{WORKS[kind]}: CPU µs a request: {parts}")
        for workers, speed in speeds[kind].items():
            expected = on_one_machine(cost, workers)
            ratio = f"{speed / expected:.2f} of the model's {expected:,.0f}"
            print(f"  {workers} workers, {len(CORES)} cores for all: {speed:,.0f}/s, {ratio}")


def expect(costs: dict[str, Cost], on: Machines) -> None:
    """What the model says of other machines, and how many connections that takes."""
    for kind, cost in costs.items():
        found = limits(kind, cost, on)
        least = min(found, key=found.__getitem__)
        speed = found[least]
        busy = speed * held_us(kind, cost, on.network_us) / 1e6
        print(f"{WORKS[kind]}: {speed:,.0f}/s by its {least}; {busy:.0f} connections busy at once")
    most = Settings.model_fields["DB_MAX_OVERFLOW"].default + on.pool + 1
    print(f"max_connections: at least {on.workers * most} for the service, and some for you")


def draw(costs: dict[str, Cost], speeds: dict[str, dict[int, float]]) -> None:
    try:
        from benchmarks import plots  # noqa: PLC0415 - of the group `bench`
    except ImportError:
        print("no picture: matplotlib is in the environment of `make bench`")
        return
    lines = {
        WORKS[kind]: {each: on_one_machine(cost, each) for each in range(1, 5)}
        for kind, cost in costs.items()
    }
    points = {WORKS[kind]: by_workers for kind, by_workers in speeds.items()}
    title = f"Requests a second on {len(CORES)} cores for load, service and PostgreSQL"
    plots.model(PICTURE, title, "workers", lines, points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute or so, less exact")
    for name in ("cores", "workers", "database-cores", "replicas", "pool"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--network-us", type=float)
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    is_quick = given.pop("quick")
    if given:
        costs = {kind: Cost(**cost) for kind, cost in json.loads(KEPT.read_text())["costs"].items()}
        expect(costs, Machines(**{"cores": 1, "workers": 1, "database_cores": 1} | given))
        return
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    with run_postgres(FOLDER / "postgres", port=PORT, settings=SETTINGS, say=print) as postgres:
        posts, workers, rounds = QUICK if is_quick else FULL
        database = make_database(postgres, f"blog_{posts}", posts)
        costs, speeds = measure(database, workers, rounds)
    tell(costs, speeds)
    if not is_quick:
        kept = {"costs": {kind: asdict(cost) for kind, cost in costs.items()}, "speeds": speeds}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
        draw(costs, speeds)


if __name__ == "__main__":
    main()
