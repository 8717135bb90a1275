"""What each package costs that a process which serves has loaded: one line of JSON.

python -m benchmarks.loaded. The modules of a package are charged with what they do themselves while
they are imported: their own code and classes, and not what they import. `tests/speed.py` holds
which are never loaded.
"""

import gc
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PAGE_KIB = 4
STATM = Path("/proc/self/statm")


def now() -> tuple[float, float]:
    """Milliseconds of CPU time, and MiB resident."""
    return time.process_time() * 1e3, int(STATM.read_text().split()[1]) * PAGE_KIB / 1024


class Account:
    """What was used since the last look is charged to the package whose module runs."""

    def __init__(self) -> None:
        self.cost: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.running = ["Python"]
        self.last = now()

    def charge(self) -> None:
        at, cost = now(), self.cost[self.running[-1]]
        for number, (later, before) in enumerate(zip(at, self.last, strict=True)):
            cost[number] += later - before
        self.last = now()


class Charging(Loader):
    """A loader of Python's, with the account kept."""

    def __init__(self, loader: Loader, account: Account) -> None:
        self.loader, self.account = loader, account

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.account.charge()
        package = module.__name__.partition(".")[0]
        self.account.running.append("Python" if package in sys.stdlib_module_names else package)
        try:
            self.loader.exec_module(module)
        finally:
            self.account.charge()
            self.account.running.pop()


class Finder(MetaPathFinder):
    def __init__(self, account: Account) -> None:
        self.account = account

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Charging(spec.loader, self.account)
        return spec


def main() -> None:
    account = Account()
    account.cost["Python"][1] = account.last[1]
    sys.meta_path.insert(0, Finder(account))
    gc.disable()  # as `app serve` does while it imports
    __import__("app.main")
    account.charge()
    json.dump(account.cost, sys.stdout)


if __name__ == "__main__":
    main()
