"""What was aimed at, what was reached, and which layer holds what is missing."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.lineup import CEILING, EQUAL, GO_PEER, OURS
from benchmarks.tables import table
from benchmarks.works import WORKS

Measured = dict[str, Any]
CONNECTIONS = "32"
CPU_AT_MOST = {"one": 1.5, "list": 1.5, "me": 1.5, "create": 2.5}  # times the ceiling's
RATE_AT_LEAST = {"one": 0.65, "list": 0.8, "me": 0.6, "create": 0.4}  # of the ceiling's
PEERS_AT_LEAST = {"one": 3.0, "list": 3.0, "me": 3.0, "create": 2.0}  # times the nearest peer's
START_SECONDS, RESIDENT_MIB = 0.5, 80
DRIVER = "asyncpg and the event loop"  # the ceiling has it too
BY_HAND = {"Litestar + asyncpg", "Robyn + asyncpg", GO_PEER}  # the SQL, as the ceiling has it


@dataclass(frozen=True)
class Target:
    what: str
    aim: str
    reached: str
    is_met: bool
    held_by: str  # where it is not met

    def row(self) -> list[str]:
        return [
            self.what,
            self.aim,
            self.reached,
            "met" if self.is_met else f"**missed**: {self.held_by}",
        ]


def targets(measured: Measured) -> str:
    """A row for each that was measured: a quick run leaves some out."""
    found = [*_cpu(measured), *_rates(measured), *_peers(measured), *_process(measured)]
    met = sum(each.is_met for each in found)
    title = f"What was aimed at: {met} of {len(found)} are met"
    return table(title, ["target", "aim", "reached", ""], (each.row() for each in found))


def _cpu(measured: Measured) -> Iterator[Target]:
    for work, aim in CPU_AT_MOST.items():
        for at_once, ours in measured["cpu"][OURS.name].get(work, {}).items():
            ceiling = statistics.median(measured["cpu"][CEILING.name][work][at_once])
            ratio = statistics.median(ours) / ceiling
            yield Target(
                f"CPU of {WORKS[work]}, {at_once} at once",
                f"at most {aim} x the ceiling's",
                f"{ratio:.2f}",
                ratio <= aim,
                f"{(ratio - aim) * ceiling:.0f} µs too many; {_layers(measured, work)}",
            )


def _rates(measured: Measured) -> Iterator[Target]:
    for work, aim in RATE_AT_LEAST.items():
        if (ceiling := _rate(measured, CEILING.name, work)) is not None:
            ratio = (_rate(measured, OURS.name, work) or 0) / ceiling
            yield Target(
                f"{WORKS[work]} over {CONNECTIONS} connections",
                f"at least {aim} of the ceiling's",
                f"{ratio:.2f}",
                ratio >= aim,
                f"{_layers(measured, work)}; and uvicorn, whose share both have",
            )


def _peers(measured: Measured) -> Iterator[Target]:
    peers = measured["load"].keys() - {OURS.name, CEILING.name, EQUAL.name}
    groups = {"with an ORM": peers - BY_HAND, "with SQL by hand": peers & BY_HAND}
    for work, aim in PEERS_AT_LEAST.items():
        for group, names in groups.items():
            rates = {name: rate for name in names if (rate := _rate(measured, name, work))}
            if rates:
                nearest = max(rates, key=rates.__getitem__)
                ours, ceiling = (
                    (_rate(measured, name, work) or 0) / rates[nearest]
                    for name in (OURS.name, CEILING.name)
                )
                yield Target(
                    f"{WORKS[work]}, of peers {group}",
                    f"at least {aim:.0f} x the nearest",
                    f"{ours:.1f} x {nearest}",
                    ours >= aim,
                    f"the ceiling reaches {ceiling:.1f}; {_layers(measured, work)}",
                )


def _process(measured: Measured) -> Iterator[Target]:
    seconds = statistics.median(measured["starts"][OURS.name])
    mib = measured["memory"][OURS.name]
    held_by = "the imports (`python -m benchmarks.start`)"
    first = "first answer after the start of the process"
    yield Target(first, f"{START_SECONDS} s", f"{seconds:.2f} s", seconds <= START_SECONDS, held_by)
    yield Target(
        "resident after the load",
        f"{RESIDENT_MIB} MiB",
        f"{mib:.0f} MiB",
        mib <= RESIDENT_MIB,
        held_by,
    )


def _rate(measured: Measured, name: str, work: str) -> float | None:
    loads = measured["load"][name].get(work, {}).get(CONNECTIONS, ())
    return statistics.median(each["per_second"] for each in loads) if loads else None


def _layers(measured: Measured, work: str) -> str:
    """The two that take most, the driver aside."""
    upto = measured["parts"][work]
    names, values = list(upto), list(upto.values())
    added = {
        name: after - before
        for name, before, after in zip(names[1:], values, values[1:], strict=False)
        if name != DRIVER
    }
    most = sorted(added, key=added.__getitem__, reverse=True)[:2]
    return " and ".join(f"{name} ({added[name]:.0f} µs)" for name in most)
