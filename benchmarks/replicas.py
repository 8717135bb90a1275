"""Reads a second with no, one and two read replicas, each server with the same share of a core.

python -m benchmarks.replicas: prints the ratios, and draws results/replicas.svg where matplotlib is
installed. It needs root and the cgroups of Linux, version 1 or 2, which hold a server to its share:
so the figure is the same on two cores as on twenty.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import BigInteger, func, select

from plumbline.db.engine import Engine
from plumbline.db.reading import Reader, reader
from plumbline.db.statements import CompiledSelect
from plumbline_tests.faults.database import (
    Database,
    copy_as_replica,
    copy_database,
    make_template,
)
from plumbline_tests.faults.pids import children_of
from plumbline_tests.replicated import make_engine, replicas_of
from plumbline_tests.sandbox.database import migrations
from plumbline_tests.waiting import until

SHARE = 0.12  # of one core, for each server; all together leave the client enough
PERIOD = 100_000  # microseconds, the kernel's own
CLIENTS, ROUNDS, SECONDS = 12, 5, 4.0
PICTURE = Path(__file__).parent / "results" / "replicas.svg"

# Some 2 ms of a server, and next to nothing of the client.
_NUMBERS = func.generate_series(1, 15_000).table_valued("n").render_derived()
READ = CompiledSelect(select(func.sum(_NUMBERS.c.n, type_=BigInteger)), int)


@contextmanager
def held_to_a_share(database: Database) -> Iterator[None]:
    """All its processes together get SHARE of a core."""
    name, root = f"plumbline-{database.port}", Path("/sys/fs/cgroup")
    is_first = (root / "cpu").exists()
    group = (root / "cpu" if is_first else root) / name
    group.mkdir()
    try:
        quota = round(SHARE * PERIOD)
        if is_first:
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")
        for pid in _processes(database):
            with suppress(ProcessLookupError):
                (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:  # when it has been removed
        while (group / "cgroup.procs").read_text():
            time.sleep(0.01)
        group.rmdir()


def _processes(database: Database) -> list[int]:
    lines = (database.folder / "data" / "postmaster.pid").read_text().splitlines()
    postmaster = int(lines[0])
    return [postmaster, *children_of(postmaster)]


async def reads_a_second(url: str, ports: list[int]) -> float:
    engine, _ = make_engine(url, *(ports or [1]))  # where nobody is
    if ports:
        replicas_of(engine).start()
        await until(lambda: all(map(replicas_of(engine).is_usable, replicas_of(engine).all)))
    done = await asyncio.gather(*(_read_on(engine) for _ in range(CLIENTS)))
    await engine.dispose()
    return sum(done) / SECONDS


async def _read_on(engine: Engine) -> int:
    assert engine.replicas is not None
    count, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        reader.set(Reader(engine.replicas.database, may_use_replicas=True))
        await READ.find(engine)
        count += 1
    return count


async def measure(primary: Database, replicas: list[Database]) -> dict[int, float]:
    """The median by the number of replicas, in rounds that take turns."""
    found: dict[int, list[float]] = {number: [] for number in range(len(replicas) + 1)}
    for _ in range(ROUNDS):
        for number, speeds in found.items():
            ports = [each.port for each in replicas[:number]]
            speeds.append(await reads_a_second(primary.url(), ports))
    return {number: statistics.median(speeds) for number, speeds in found.items()}


async def run(folder: Path) -> dict[int, float]:
    port = random.randrange(20_000, 30_000)
    make_template(folder / "template", port, migrations, lambda _: None)
    primary = copy_database(folder / "template", folder / "primary", port + 1)
    await primary.start()
    replicas = [copy_as_replica(primary, folder / f"replica{n}", port + n) for n in (2, 3)]
    with ExitStack() as stack:
        try:
            for each in replicas:
                await each.start()
            for each in (primary, *replicas):
                stack.enter_context(held_to_a_share(each))
            return await measure(primary, replicas)
        finally:
            for each in (primary, *replicas):
                await each.remove()


def draw(speeds: dict[int, float]) -> None:
    try:
        from benchmarks import plots  # noqa: PLC0415 - of the group `bench`
    except ImportError:
        print("no picture: matplotlib is in the environment of `make bench`")
        return
    bars = {f"{number} replicas": speed / speeds[0] for number, speed in speeds.items()}
    title = f"Reads a second, as a multiple of the primary's; each server has {SHARE:.0%} of a core"
    plots.draw(PICTURE, title, {"": bars}, "{:.2f}")


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("benchmarks.replicas needs root: it gives each server a share of the processor")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL is another user
        speeds = asyncio.run(run(Path(folder)))
    for number, speed in speeds.items():
        print(f"{number} replicas: {speed:7.1f} reads a second, {speed / speeds[0]:.2f}")
    draw(speeds)


if __name__ == "__main__":
    main()
