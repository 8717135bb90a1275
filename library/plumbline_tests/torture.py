"""How hard the tests in faults/ try: `make check` runs them small, `make torture` large.

A pytest plugin: `--torture` for the large run, `--seed` for the same random choices again.
A test of the large run that is asked for by its own name runs, too, but small.
"""

import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

Amount = Callable[[int, int], int]
Figure = Callable[[str, object], None]

_FIGURES = pytest.StashKey[list[tuple[str, str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="Try ten times as hard, or more.")
    parser.addoption("--seed", type=int, help="Repeat the random choices of a run.")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []
    config.addinivalue_line("markers", "torture: only in the large run")
    if config.option.seed is None:
        config.option.seed = random.randrange(2**32)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to the large run alone, unless it was asked for by its own name."""
    if not config.option.torture:
        marked = [item for item in items if item.get_closest_marker("torture")]
        large = [item for item in marked if not _names(item).intersection(config.args)]
        config.hook.pytest_deselected(items=large)
        items[:] = [item for item in items if item not in large]


def _names(item: pytest.Item) -> set[str]:
    """With and without its parameters."""
    return {item.nodeid, item.nodeid.partition("[")[0]}


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.option.seed}"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table of docs/reliability.md; pytest-xdist's workers keep theirs, so use -n 0."""
    if figures := config.stash[_FIGURES]:
        command = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        today = datetime.now(UTC).date()
        terminalreporter.section(f"figures ({today}, commit {commit}, seed {config.option.seed})")
        for name, value, test in figures:
            terminalreporter.write_line(f"| {name} | {value} | `{test}` |")


@pytest.fixture
def amount(pytestconfig: pytest.Config) -> Amount:
    """`amount(20, 200)`: 20 in `make check`, 200 in `make torture`."""
    return lambda check, torture: torture if pytestconfig.option.torture else check


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random choices that `--seed` repeats; each test has its own."""
    seed = request.config.option.seed
    return random.Random(f"{seed} {request.node.nodeid}")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """`figure("acknowledged writes lost in 200 kills", 0)`: a line of the final table."""
    figures = request.config.stash[_FIGURES]
    return lambda name, value: figures.append((name, str(value), request.node.name))
