"""Which modules make settings, or read one, while they are imported.

python -m tests.read_at_import: two lists, as JSON. What is read at import is bound to that value: a
test cannot change it, and a second service in the process cannot have its own.
"""

import json
import pkgutil
import sys
from importlib import import_module
from types import FrameType

from pydantic_settings import BaseSettings

# Programs, and Alembic's, which only Alembic can import.
NOT_IMPORTED = ("__main__", "migrations")

makers: set[str] = set()
readers: set[str] = set()

_make, _get = BaseSettings.__init__, BaseSettings.__getattribute__


def _make_and_note(self: BaseSettings, *args: object, **values: object) -> None:
    makers.add(_importing(sys._getframe(1)))
    _make(self, *args, **values)  # type: ignore[arg-type]


def _get_and_note(self: BaseSettings, name: str) -> object:
    if name in type(self).model_fields:
        readers.add(_importing(sys._getframe(1)))
    return _get(self, name)


def _importing(frame: FrameType | None) -> str:
    """The module that is being imported, whose line has led here."""
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return str(frame.f_globals["__name__"]) if frame is not None else ""


def main() -> None:
    type.__setattr__(BaseSettings, "__init__", _make_and_note)
    type.__setattr__(BaseSettings, "__getattribute__", _get_and_note)
    for package in map(import_module, ("plumbline", "app")):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not set(NOT_IMPORTED) & {*found.name.split(".")}:
                import_module(found.name)
    json.dump([sorted(makers), sorted(readers)], sys.stdout)


if __name__ == "__main__":
    main()
