"""What a process costs before it has done anything: its start, its memory, and who takes them.

python -m benchmarks.start: seconds from the start of the process to its first answer (on a busy
machine the CPU time says more) and MiB resident then and after some requests, medians of some
starts, for the ceiling, for ours behind uvicorn, and for `app serve`; and the packages that hold
most of it (benchmarks/loaded.py).
"""

import json
import os
import subprocess
import sys
from statistics import median
from urllib.request import urlopen

from benchmarks.data import FOLDER, make_database
from benchmarks.lineup import CEILING, OURS, SERVE, Contender
from benchmarks.processes import HOST, Server
from benchmarks.tables import table
from plumbline.db.drift import temporary_postgres

STARTS = 5
READS = 500
POSTS = 1_000
MOST = 15
HEADS = ["", "s to the first answer", "s of CPU time", "MiB then", f"MiB after {READS:,} reads"]
FORMS = ("{:.2f}", "{:.2f}", "{:.0f}", "{:.0f}")


def start(contender: Contender, url: str) -> list[float]:
    """Seconds, of which CPU time; MiB then, and after the reads."""
    server = Server(contender, url)
    told = [server.start(), server.cpu_seconds(), server.resident_mib()]
    for number in range(READS):
        urlopen(f"http://{HOST}:{server.port}/api/v1/posts/{number % POSTS + 1}").close()
    told.append(server.resident_mib())
    server.stop()
    return told


def starts(url: str) -> str:
    """A row a contender."""
    contenders = (CEILING, OURS, SERVE)
    told: dict[str, list[list[float]]] = {each.name: [] for each in contenders}
    for _ in range(STARTS):
        for contender in contenders:
            told[contender.name].append(start(contender, url))
    rows = (
        [
            name,
            *(
                form.format(median(each))
                for form, each in zip(FORMS, zip(*all_of, strict=True), strict=True)
            ),
        ]
        for name, all_of in told.items()
    )
    return table("From nothing to the first answer", HEADS, rows)


def packages() -> str:
    """Those that hold most of the memory: their own modules, without what they import."""
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.loaded"],
        env=os.environ | {"ENV_FILE": os.devnull},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    costs: dict[str, tuple[float, float]] = json.loads(told)
    ordered = sorted(costs.items(), key=lambda item: item[1][1], reverse=True)
    rest = [sum(each[number] for _, each in ordered[MOST:]) for number in (0, 1)]
    whole = [sum(each[number] for each in costs.values()) for number in (0, 1)]
    rows = [*ordered[:MOST], (f"{len(ordered[MOST:])} more", rest), ("all", whole)]
    return table(
        "Who holds it: the import of app.main",
        ["", "MiB", "ms of CPU time"],
        ([name, f"{mib:.1f}", f"{ms:.0f}"] for name, (ms, mib) in rows),
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    with temporary_postgres() as server:
        print(starts(make_database(server, "start", POSTS).url))
    print(f"\n{packages()}")


if __name__ == "__main__":
    main()
