"""Where the objects of a project are written: file, relative to its folder, and line."""

from __future__ import annotations

import inspect
import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any


def plain(call: Any) -> Any:
    """The function behind a partial, a method, a decorator that wraps, or a callable object."""
    while isinstance(call, partial):
        call = call.func
    call = getattr(call, "__func__", call)
    if not inspect.isfunction(call) and not inspect.isclass(call):
        called = vars(type(call)).get("__call__")
        call = called if inspect.isfunction(called) else call
    try:
        return inspect.unwrap(call)
    except ValueError:  # it wraps itself
        return call


class Places:
    """Of one project; installed packages below its folder are not the project's."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._sources: dict[str, list[str]] = {}
        self._paths: dict[str | None, str | None] = {}

    def path(self, file: str | None) -> str | None:
        """Relative to the folder; None for what is not the project's."""
        if file not in self._paths:
            self._paths[file] = self._path(file or "")
        return self._paths[file]

    def _path(self, file: str) -> str | None:
        whole = os.path.realpath(file) if file else ""
        if not whole.startswith(self._root + os.sep) or "site-packages" in whole:
            return None
        return os.path.relpath(whole, self._root)

    def of_function(self, call: Any) -> dict[str, Any]:
        """Its name, file and line; the file is None where it is not the project's."""
        function = plain(call)
        code = getattr(function, "__code__", None)
        name = getattr(function, "__qualname__", type(function).__qualname__)
        place = {"name": f"{getattr(function, '__module__', '')}.{name}".strip("."), "file": None}
        if code is None:
            return {**place, "line": 0}
        return {**place, "file": self.path(code.co_filename), "line": _line_of(function)}

    def of_class(self, made: type) -> dict[str, Any]:
        """Of the statement that makes it: a class, or a call that a name is given."""
        name = f"{made.__module__}.{made.__qualname__}"
        file = self.path(getattr(sys.modules.get(made.__module__), "__file__", None))
        line = self._search(file, rf"class {made.__name__}\b|{made.__name__}\s*[:=]")
        return {"name": name, "file": file if line else None, "line": line}

    def of_attribute(self, made: type, name: str) -> dict[str, Any]:
        """Of the line in a class, or in the class that it has it from."""
        for each in made.__mro__:
            if name in vars(each) or name in vars(each).get("__annotations__", {}):
                file = self.path(getattr(sys.modules.get(each.__module__), "__file__", None))
                start = self._search(file, rf"class {each.__name__}\b")
                line = self._search(file, rf"\s+(def )?{name}\s*[:=(]", start)
                if start and line:
                    return {"name": f"{made.__name__}.{name}", "file": file, "line": line}
        return {"name": f"{made.__name__}.{name}", "file": None, "line": 0}

    def of_value(self, value: object, kind: str) -> dict[str, Any]:
        """Of the name that a module of the project gives it."""
        for module_name, module in list(sys.modules.items()):
            file = self.path(getattr(module, "__file__", None))
            for name in _names_of(value, module) if file is not None else ():
                line = self._search(file, rf"{name}\s*(:[^=]*)?=[^=]")
                if line:
                    return {"name": f"{module_name}.{name}", "file": file, "line": line}
        return {"name": kind, "file": None, "line": 0}

    def _search(self, file: str | None, pattern: str, after: int = 0) -> int:
        """The first line behind `after` that begins so; 0 where none does."""
        if file is None:
            return 0
        if file not in self._sources:
            text = Path(self._root, file).read_text(encoding="utf-8", errors="replace")
            self._sources[file] = text.split("\n")
        for number, line in enumerate(self._sources[file][after:], start=after + 1):
            if re.match(pattern, line):
                return number
        return 0


def _names_of(value: object, module: object) -> list[str]:
    return [name for name, each in list(vars(module).items()) if each is value]


def _line_of(function: Any) -> int:
    """Of its `def`, below its decorators."""
    first = int(function.__code__.co_firstlineno)
    try:
        lines, _ = inspect.getsourcelines(function)
    except (OSError, TypeError, SyntaxError):
        return first
    for offset, line in enumerate(lines):
        if re.match(r"\s*(async\s+)?def\s", line):
            return first + offset
    return first
