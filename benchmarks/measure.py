"""What is measured: each contender in turn, round after round, so that noise hits everybody."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.equality import require_equal_answers
from benchmarks.lineup import APPS, CEILING, LINEUP, OURS, SERVERS, Contender
from benchmarks.load import put_load
from benchmarks.processes import Server, servers, worker, workers
from benchmarks.protocol import count, tapped
from benchmarks.works import PAGES, requests

Step = Callable[[str], None]
COUNTED = ("one", "list", "me", "create")
ASKED = 10  # until everything is prepared: psycopg does that after five


@dataclass(frozen=True)
class Plan:
    """How much is done; `seconds` is the length of one window."""

    starts: int
    cpu_works: tuple[str, ...]
    cpu_concurrency: tuple[int, ...]
    cpu_rounds: int
    cpu_seconds: float
    load_works: tuple[str, ...]
    load_seconds: dict[int, int]  # by the number of connections
    load_rounds: int

    def steps(self) -> int:
        cpu = (len(self.cpu_works) * len(self.cpu_concurrency) + len(PAGES)) * self.cpu_rounds
        load = len(self.load_works) * len(self.load_seconds) * self.load_rounds
        return len(APPS) * (len(COUNTED) + cpu) + len(LINEUP) * (self.starts + load + 1) + 4


ALL = ("one", "list", "me", "create", "mix")
FULL = Plan(3, ALL, (1, 8), 5, 0.3, ALL, {1: 1, 32: 1, 256: 2}, 3)
QUICK = Plan(1, COUNTED, (1,), 2, 0.3, ("one", "list", "create"), {32: 1}, 1)


def in_turn(contenders: list[Contender], rounds: int) -> Iterator[Contender]:
    """Each once a round, and each round another one first."""
    for number in range(rounds):
        first = number % len(contenders)
        yield from contenders[first:] + contenders[:first]


def counts(url: str, port: int, step: Step) -> dict[str, Any]:
    counted: dict[str, Any] = defaultdict(dict)
    for contender in APPS:
        with tapped(port) as tap, worker(contender, tap.redirect(url)) as asked:
            for work in COUNTED:
                step(f"counting statements: {contender.name}")
                found = count(tap, asked, requests(work, contender, ASKED))
                counted[contender.name][work] = asdict(found)
    return counted


def cpu(url: str, plan: Plan, step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
    """Microseconds of CPU time a request, and of waiting for page 1 and page 10,000."""
    used: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    pages: dict[str, Any] = defaultdict(lambda: defaultdict(list))
    with workers(url) as asked:
        require_equal_answers(APPS, asked)
        windows = [(work, each) for work in plan.cpu_works for each in plan.cpu_concurrency]
        for work, concurrency in windows:
            for contender in in_turn(APPS, plan.cpu_rounds):
                step(f"CPU time: {work}, {concurrency} at once")
                command = {"time": work, "seconds": plan.cpu_seconds, "concurrency": concurrency}
                took = asked[contender.name].ask(**command)
                microseconds = took["cpu_seconds"] / took["requests"] * 1e6
                used[contender.name][work][str(concurrency)].append(microseconds)
        for page in PAGES:
            for contender in in_turn(APPS, plan.cpu_rounds):
                step(f"paging: {PAGES[page]}")
                command = {"time": page, "seconds": plan.cpu_seconds, "concurrency": 1}
                took = asked[contender.name].ask(**command)
                pages[contender.name][page].append(took["wall_seconds"] / took["requests"] * 1e6)
    return used, pages


def parts(url: str, plan: Plan, step: Step) -> dict[str, dict[str, float]]:
    """Where ours spends its microseconds: benchmarks/parts.py, for each work."""
    found = {}
    with worker(OURS, url) as asked:
        for work in COUNTED:
            step(f"parts: {work}")
            command = {"parts": work, "seconds": plan.cpu_seconds, "rounds": plan.cpu_rounds}
            found[work] = asked.ask(**command)
    return found


def starts(url: str, plan: Plan, step: Step) -> dict[str, list[float]]:
    """Seconds from the start of the process to its first answer."""
    took: dict[str, list[float]] = defaultdict(list)
    for contender in in_turn(LINEUP, plan.starts):
        step("starting")
        server = Server(contender, url)
        took[contender.name].append(server.start())
        server.stop()
    return took


def load(url: str, plan: Plan, step: Step) -> tuple[dict[str, Any], dict[str, float]]:
    """What came over the socket, and the memory that the servers have afterwards, in MiB."""
    loads: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with servers(url) as loaded:
        require_equal_answers([CEILING, *SERVERS], loaded)
        for contender in LINEUP:
            step("warming up")
            put_load(loaded[contender.name], contender, "mix", 32, 1)
        for work in plan.load_works:
            for connections, seconds in plan.load_seconds.items():
                for contender in in_turn(LINEUP, plan.load_rounds):
                    step(f"load: {work}, {connections} connections")
                    one = loaded[contender.name]
                    found = put_load(one, contender, work, connections, seconds)
                    loads[contender.name][work][str(connections)].append(asdict(found))
        memory = {name: each.resident_mib() for name, each in loaded.items()}
    return loads, memory
