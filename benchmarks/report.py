"""The tables and plots of what was measured."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.lineup import CEILING
from benchmarks.load import TOOL
from benchmarks.plots import draw, stack
from benchmarks.tables import table
from benchmarks.targets import targets
from benchmarks.works import PAGES, WORKS

Measured = dict[str, Any]
MIDDLE = "32"  # connections of the plot
PLOTS = {
    "cpu": "CPU time of a request, as a multiple of the hand-written one",
    "parts": "Where the CPU time of our requests goes",
    "load": f"Requests a second over {MIDDLE} connections, one process on one core",
    "pages": "A page of 20 posts, of 1,000,000",
}


def write(measured: Measured, folder: Path) -> dict[str, str]:
    """Tables and plots into `folder`; gives the tables by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "targets": targets(measured),
        "cpu": _cpu(measured["cpu"]),
        "parts": _parts(measured["parts"]),
        "load": _load(measured["load"]),
        "counts": _counts(measured["counts"]),
        "pages": _pages(measured["pages"]),
        "process": _process(measured["starts"], measured["memory"]),
    }
    for name, text in tables.items():
        (folder / f"{name}.md").write_text(f"{text}\n\n{measured['about']}\n")
    _draw(measured, folder)
    return tables


def page(tables: dict[str, str], folder: str) -> str:
    """The tables, each with its plot if it has one."""
    shown = {name: f"![{PLOTS[name]}]({folder}/{name}.svg)\n\n" for name in PLOTS}
    return "\n\n".join(shown.get(name, "") + text for name, text in tables.items())


def _draw(measured: Measured, folder: Path) -> None:
    draw(
        folder / "cpu.svg",
        PLOTS["cpu"],
        _panels(lambda name, work: _cpu_ratio(measured["cpu"], name, work, "1"), measured["cpu"]),
        "x {:.1f}",
    )
    draw(
        folder / "load.svg",
        PLOTS["load"],
        _panels(lambda name, work: _rate(measured["load"][name][work][MIDDLE]), measured["load"]),
        "{:,.0f}/s",
    )
    shares = {WORKS[work]: _layers(found) for work, found in measured["parts"].items()}
    stack(folder / "parts.svg", PLOTS["parts"], shares)
    pages = measured["pages"]
    deep = {
        title: {name: statistics.median(each[page]) / 1e3 for name, each in pages.items()}
        for page, title in PAGES.items()
    }
    draw(folder / "pages.svg", PLOTS["pages"], deep, "{:.1f} ms", one_scale=True)


def _panels(value: Callable[[str, str], float], measured: Measured) -> dict[str, dict[str, float]]:
    works = measured[CEILING.name]
    return {WORKS[work]: {name: value(name, work) for name in measured} for work in works}


def _cpu(measured: Measured) -> str:
    works = measured[CEILING.name]
    tables = [
        table(
            f"CPU time of the process a request in µs, {concurrency} at once (x the ceiling's)",
            ["", *(WORKS[work] for work in works)],
            (
                [name, *(_cpu_cell(measured, name, work, concurrency) for work in works)]
                for name in measured
            ),
        )
        for concurrency in works["one"]
    ]
    return "\n\n".join(tables)


def _cpu_cell(measured: Measured, name: str, work: str, concurrency: str) -> str:
    ratio = _cpu_ratio(measured, name, work, concurrency)
    return f"{_spread(measured[name][work][concurrency])} (x {ratio:.1f})"


def _cpu_ratio(measured: Measured, name: str, work: str, concurrency: str) -> float:
    """Of medians: of rounds that lie minutes apart no two belong together."""
    values, ceiling = (
        statistics.median(measured[each][work][concurrency]) for each in (name, CEILING.name)
    )
    return float(values / ceiling)


def _parts(measured: Measured) -> str:
    works = {WORKS[work]: _layers(found) for work, found in measured.items()}
    sums = {work: sum(layers.values()) for work, layers in works.items()}
    rows = [
        [
            layer,
            *(
                f"{found[layer]:,.0f} ({found[layer] / sums[work]:.0%})"
                for work, found in works.items()
            ),
        ]
        for layer in next(iter(works.values()))
    ]
    rows.append(["all", *(f"{total:,.0f}" for total in sums.values())])
    return table("Plumbline's µs a request by layer, 8 at once (share)", ["", *works], rows)


def _layers(upto: dict[str, float]) -> dict[str, float]:
    """What each layer adds to those below it; the first is the driver of the benchmark."""
    names, values = list(upto), list(upto.values())
    return {
        name: max(0.0, value - before)
        for name, value, before in zip(names[1:], values[1:], values[:-1], strict=True)
    }


def _load(measured: Measured) -> str:
    return "\n\n".join(
        table(
            f"{WORKS[work]}, over a socket ({TOOL}): requests/s (x the ceiling's), p50 / p99 in ms",
            [
                "",
                *(f"{each} connection{'s' * (each != '1')}" for each in windows),
                f"CPU µs at {MIDDLE}",
            ],
            (
                [
                    name,
                    *(_load_cell(measured, name, work, each) for each in windows),
                    f"{_median(measured[name][work][MIDDLE], 'cpu_us'):,.0f}",
                ]
                for name in measured
            ),
        )
        for work, windows in measured[CEILING.name].items()
    )


def _load_cell(measured: Measured, name: str, work: str, connections: str) -> str:
    loads = measured[name][work][connections]
    if not _rate(loads):
        return "no answer in time"
    ratio = _rate(loads) / _rate(measured[CEILING.name][work][connections])
    times = " / ".join(f"{_median(loads, key):.1f}" for key in ("p50_ms", "p99_ms"))
    errors = sum(each["errors"] for each in loads)
    failed = f", {errors:,} errors" if errors else ""
    rates = [each["per_second"] for each in loads]
    return f"{_spread(rates)} (x {ratio:.2f}), {times}{failed}"


def _rate(loads: list[dict[str, float]]) -> float:
    return _median(loads, "per_second")


def _median(loads: list[dict[str, float]], key: str) -> float:
    return statistics.median(each[key] for each in loads)


def _counts(measured: Measured) -> str:
    works = measured[CEILING.name]
    rows = (
        [
            name,
            *(
                "{statements} + {transaction} in {round_trips}".format(**found[work])
                for work in works
            ),
        ]
        for name, found in measured.items()
    )
    title = "Statements + BEGIN, COMMIT, ROLLBACK in so many round trips to PostgreSQL"
    return table(title, ["", *(WORKS[work] for work in works)], rows)


def _pages(measured: Measured) -> str:
    title = "From question to answer in ms, one at a time, each by its own way of paging"
    rows = []
    for name in measured:
        first, deep = (statistics.median(measured[name][page]) / 1e3 for page in PAGES)
        rows.append([name, f"{first:.1f}", f"{deep:.1f}", f"x {deep / first:.1f}"])
    return table(title, ["", *PAGES.values(), "factor"], rows)


def _process(starts: dict[str, list[float]], memory: dict[str, float]) -> str:
    rows = (
        [name, f"{statistics.median(starts[name]):.2f}", f"{memory[name]:.0f}"] for name in memory
    )
    return table(
        "The process", ["", "s from start to first answer", "MiB resident after the load"], rows
    )


def _spread(values: list[float]) -> str:
    middle = statistics.median(values)
    half = (max(values) - min(values)) / 2 / middle
    return f"{middle:,.0f} ±{half:.0%}" if len(values) > 1 else f"{middle:,.0f}"
