"""What was measured of scaling, as pictures, tables, and why each line bends where it does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.core.config import Settings
from benchmarks.lineup import CEILING, OURS
from benchmarks.load import Load
from benchmarks.plots import curves
from benchmarks.processes import CORES
from benchmarks.tables import table
from benchmarks.works import WORKS

Series = dict[str, dict[int, Load]]  # by what is measured, then by its size
GAIN = 1.15  # less is no gain: a machine is never that quiet
READ = WORKS["one"]
AT_ONCE = f"{OURS.name}, all at once"


@dataclass(frozen=True)
class Topic:
    """`finds` says in one sentence what the numbers show, `explains` why."""

    heading: str
    axis: str
    finds: Callable[[Series], str]
    explains: Callable[[Series], str]


def write(measured: dict[str, Series], facts: list[str], folder: Path) -> str:
    """Draw a picture a topic into `folder`; gives the page."""
    parts = [" ".join(facts)]
    for name, series in measured.items():
        topic, file = TOPICS[name], folder / f"scale_{name}.svg"
        finding = topic.finds(series)
        curves(file, finding, topic.axis, {key: _points(each) for key, each in series.items()})
        parts += [
            f"### {topic.heading}",
            f"![{finding}]({folder.name}/{file.name})",
            f"**{finding}.** {topic.explains(series)}",
            table(f"{topic.axis}: answers a second, p50 / p99 in ms", *_rows(series)),
        ]
    return "\n\n".join(parts)


def _points(loads: dict[int, Load]) -> dict[int, tuple[float, float, float]]:
    """Without those that got no answer at all."""
    return {
        size: (each.per_second, each.p50_ms, each.p99_ms)
        for size, each in loads.items()
        if each.per_second
    }


def _rows(series: Series) -> tuple[list[str], list[list[str]]]:
    sizes = next(iter(series.values()))
    rows = [[name, *(_cell(load) for load in loads.values())] for name, loads in series.items()]
    return ["", *(f"{each:,}" for each in sizes)], rows


def _cell(load: Load) -> str:
    if not load.per_second:
        return f"none in time, {load.errors:,} refused"
    failed = f", {load.errors:,} refused" if load.errors else ""
    return f"{load.per_second:,.0f}/s, {load.p50_ms:.1f} / {load.p99_ms:.1f}{failed}"


def _ends(loads: dict[int, Load]) -> tuple[int, int]:
    return min(loads), max(loads)


def _best(loads: dict[int, Load]) -> int:
    """The smallest size that is about as good as the best."""
    most = max(load.per_second for load in loads.values())
    return min(size for size, load in loads.items() if load.per_second * GAIN >= most)


def _workers_find(series: Series) -> str:
    reads = series[READ]
    first, last = _ends(reads)
    gain = reads[last].per_second / reads[first].per_second
    return f"{last} workers answer {gain:.1f} times the reads of {first}, on {len(CORES)} cores"


def _workers_explain(series: Series) -> str:
    reads = series[READ]
    best = _best(reads)
    cores = reads[best].per_second * reads[best].cpu_us / 1e6
    return (
        f"PostgreSQL and the load run on the same {len(CORES)} cores. With {best} "
        f"worker{'s' * (best > 1)} the service uses {cores:.1f} of them, and the machine has no "
        "more to give: workers beyond that only take turns. A write waits for the disk "
        "(`fsync=on`) besides, and commits that wait together share one flush."
    )


def _posts_find(series: Series) -> str:
    first, last = _ends(series[READ])
    factors = {name: each[last].p50_ms / each[first].p50_ms for name, each in series.items()}
    told = ", ".join(f"{name} {factor:.1f}" for name, factor in factors.items())
    return f"With {last:,} posts instead of {first:,} an answer takes this times as long: {told}"


def _posts_explain(series: Series) -> str:
    first, last = _ends(series[READ])
    slowest = max(each[last].p50_ms / each[first].p50_ms for each in series.values())
    why = (
        "One connection, so this is how long an answer takes. Each of the requests goes down a "
        "B-tree, which is one page deeper for some 300 times as many rows; none counts, sorts or "
        "skips rows, and the list begins at the newest, whose pages are always in memory."
    )
    if slowest < GAIN:
        return f"{why} There is no knee."
    return (
        f"{why} What grows is the table: of 10,000,000 posts (3 GiB), of which none is read twice, "
        "PostgreSQL has few in its 512 MiB; it takes the others from the kernel's cache or the "
        "disk. A new post touches a page of each index."
    )


def _connections_find(series: Series) -> str:
    ours = series[OURS.name]
    best, last = _best(series[AT_ONCE]), max(ours)
    share = ours[last].per_second / max(load.per_second for load in ours.values())
    kept = f"with {last:,} open, of which 32 ask, it answers {share:.0%} of its best"
    return f"{best} connections keep one process busy; {kept}"


def _connections_explain(series: Series) -> str:
    ours, every = series[OURS.name], series[AT_ONCE]
    most = Settings.model_fields["MAX_RUNNING_REQUESTS"].default
    refused = {size: load.errors for size, load in every.items() if load.errors}
    why = (
        "One connection has one request under way, and waits for the network and PostgreSQL in "
        f"between; from {_best(every)} on the process always has one to work on. A connection that "
        "is open and asks nothing costs memory only. When all ask at once, more only wait: "
        "the time of an answer grows with their number, the answers a second do not."
    )
    why = (
        f"{why} Ours works on {most:,} requests at once (`MAX_RUNNING_REQUESTS`); the others wait "
        "their turn (ADR 69)."
    )
    if not refused:
        return f"{why} None was refused, up to {max(ours):,}."
    return (
        f"{why} With {min(refused):,} at once some wait for `ADMISSION_TIMEOUT_SECONDS` in vain, "
        "and get a 503. The load here does not wait as `Retry-After` asks, but comes back at once."
    )


def _rows_find(series: Series) -> str:
    one, row = _cost(series[OURS.name])
    return f"An answer costs {one:.0f} µs of CPU, and {row:.1f} µs more with each row"


def _rows_explain(series: Series) -> str:
    one, row = _cost(series[CEILING.name])
    return (
        "It is a straight line: nothing is done for a row that depends on how many there are. "
        f"By hand (ceiling) it is {one:.0f} µs, and {row:.1f} with each row; what a row costs is "
        "the driver's decoding and the writing of the JSON."
    )


def _cost(loads: dict[int, Load]) -> tuple[float, float]:
    """Microseconds of CPU of the smallest answer, and of each row more."""
    first, last = _ends(loads)
    return loads[first].cpu_us, (loads[last].cpu_us - loads[first].cpu_us) / (last - first)


TOPICS = {
    "workers": Topic("Workers", "workers", _workers_find, _workers_explain),
    "posts": Topic("Posts in the table", "posts in the table", _posts_find, _posts_explain),
    "connections": Topic(
        "Connections that are kept", "connections", _connections_find, _connections_explain
    ),
    "rows": Topic("Rows of an answer", "rows of an answer", _rows_find, _rows_explain),
}
