"""What a process costs before it has done anything: its start, its memory, and who takes them.

python -m benchmarks.start: seconds from the start of the process to its first answer (medians of
some starts; on a busy machine the CPU time says more), MiB resident then and after some requests,
and the packages whose import takes longest (`-X importtime`).
"""

import os
import subprocess
import sys
from collections import Counter
from statistics import median
from urllib.request import urlopen

from benchmarks.data import FOLDER, make_database
from benchmarks.lineup import OURS
from benchmarks.processes import HOST, Server
from plumbline.db.drift import temporary_postgres

STARTS = 5
READS = 2_000
POSTS = 1_000
MOST = 15


def starts(url: str) -> None:
    """Print what each start took, and what the process has in memory."""
    seconds, cpu, memory = [], [], []
    for _ in range(STARTS):
        server = Server(OURS, url)
        seconds.append(server.start())
        cpu.append(server.cpu_seconds())
        before = server.resident_mib()
        for number in range(READS):
            address = f"http://{HOST}:{server.port}/api/v1/posts/{number % POSTS + 1}"
            urlopen(address).close()
        memory.append((before, server.resident_mib()))
        server.stop()
    first, later = (median(each) for each in zip(*memory, strict=True))
    print(f"first answer after {median(seconds):.2f} s, {median(cpu):.2f} s of CPU time")
    print(f"resident {first:.0f} MiB, after {READS} requests {later:.0f} MiB")


def imports() -> None:
    """Print the packages whose own modules take longest to import, in ms."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import app.main"],
        env=os.environ | {"ENV_FILE": os.devnull},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    ).stderr
    taken: Counter[str] = Counter()
    for line in told.splitlines()[1:]:
        if line.startswith("import time:"):
            own, _, module = line.removeprefix("import time:").split("|")
            taken[module.strip().partition(".")[0]] += int(own)
    for package, microseconds in taken.most_common(MOST):
        print(f"{microseconds / 1000:6.0f} ms  {package}")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    with temporary_postgres() as server:
        starts(make_database(server, "start", POSTS).url)
    imports()


if __name__ == "__main__":
    main()
