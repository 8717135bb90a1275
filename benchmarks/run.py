"""Measures everybody: `make bench`, or `make bench quick=1` in a minute or two.

The full run writes tables and plots into benchmarks/results and the README; the quick one leaves
both alone and writes into `.bench/quick`.
"""

import argparse
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import measure, report
from benchmarks.data import FOLDER, run_database
from benchmarks.lineup import GO
from benchmarks.load import TOOL
from benchmarks.processes import CORES, build_in_go, leave_a_core_free

RESULTS = Path("benchmarks/results")
README = Path("benchmarks/README.md")
MARK = "<!-- written by make bench: {} -->"
PACKAGES = (
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "asyncpg",
    "psycopg",
    "orjson",
    "pydantic",
    "sqlmodel",
    "tortoise-orm",
    "litestar",
    "msgspec",
    "advanced-alchemy",
    "django",
    "django-ninja",
    "robyn",
)


def run(plan: measure.Plan) -> report.Measured:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with run_database() as database, Progress(*columns) as progress:
        url = database.url
        task = progress.add_task("starting", total=plan.steps())

        def step(doing: str) -> None:
            progress.update(task, advance=1, description=doing)

        counts = measure.counts(url, database.port, step)
        starts = measure.starts(url, plan, step)
        database.reset()
        cpu, pages = measure.cpu(url, plan, step)
        database.reset()
        parts = measure.parts(url, plan, step)
        database.reset()
        load, memory = measure.load(url, plan, step)
        database.reset()
        facts = about(database.version)
    return {
        "about": facts,
        "counts": counts,
        "starts": starts,
        "cpu": cpu,
        "pages": pages,
        "parts": parts,
        "load": load,
        "memory": memory,
    }


def about(postgres: str) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    day = datetime.now(UTC).date()
    go = "" if GO else " Go takes no part: it is not installed."
    return (
        f"{day}, {len(CORES)} cores, PostgreSQL {postgres} on the same machine, "
        f"Python {platform.python_version()}, {platform.system()}, load by {TOOL}. {packages}.{go}"
    )


def show(page: str, mark: str = MARK) -> None:
    """Put it between the two marks of the README."""
    begin, end = mark.format("begin"), mark.format("end")
    before, _, rest = README.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{README} has no lines {begin} and {end}")
    README.write_text(f"{before}{begin}\n\n{page}\n\n{end}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute or two, less exact")
    quick = parser.parse_args().quick
    build_in_go()
    leave_a_core_free()
    measured = run(measure.QUICK if quick else measure.FULL)
    folder = FOLDER / "quick" if quick else RESULTS
    tables = report.write(measured, folder)
    (folder / "measured.json").write_text(json.dumps(measured, indent=1))
    if quick:
        print("\n\n".join(tables.values()))
        print(f"\n{measured['about']}\n\nTables and plots are in {folder}.")
    else:
        show(f"{measured['about']}\n\n{report.page(tables, RESULTS.name)}")
        print(f"Tables and plots are in {folder} and {README}.")


if __name__ == "__main__":
    main()
