"""structlog, with rich only when it draws a traceback.

It imports rich, which imports Pygments and attrs: 4.5 MiB in each process that serves, and a tenth
of its start, for tracebacks that it does not draw: it writes JSON, or plain ones.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

# What structlog 26 takes from it at import.
_NAMES = {
    "rich": (),
    "rich.console": ("Console",),
    "rich.traceback": ("Traceback",),
    "rich.pretty": (),
}


class _Late:
    """A class of rich: whatever is asked of it, it is imported first."""

    def __init__(self, module: str, name: str) -> None:
        self._is = (module, name)

    def __getattr__(self, name: str) -> object:
        module, own = self._is
        return getattr(getattr(import_module(module), own), name)

    def __call__(self, *values: object, **named: object) -> object:
        module, own = self._is
        return getattr(import_module(module), own)(*values, **named)


class _LateRich(ModuleType):
    """rich itself, as structlog keeps it."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return import_module(f"rich.{name}")


def import_structlog() -> None:
    """Import it without rich, which is where it always is for everybody else.

    Where one of the two is imported already, or rich is not installed, all stays as it is.
    """
    if not {"structlog", "rich"} & sys.modules.keys() and find_spec("rich"):
        with _late_rich():
            import_module("structlog")


def show_no_variables() -> None:
    """Where nobody has set structlog up, its tracebacks are Python's own (docs/adr/0073).

    Its default, where rich is installed, shows the local variables of all frames: passwords, bodies
    of requests, parameters of statements. And drawing takes seconds, in which no request runs.
    """
    dev = import_module("structlog.dev")
    if not import_module("structlog").is_configured():
        dev.ConsoleRenderer.get_active().exception_formatter = dev.plain_traceback


@contextmanager
def _late_rich() -> Iterator[None]:
    for module, names in _NAMES.items():
        late = sys.modules[module] = _LateRich(module)
        late.__dict__.update({name: _Late(module, name) for name in names})
    try:
        yield
    finally:
        for module in _NAMES:
            del sys.modules[module]
