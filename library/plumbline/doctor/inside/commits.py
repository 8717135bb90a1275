"""Whether a generator commits behind its yield: read in its source, with its names as they are."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from .places import Places, plain

_DEEPEST = 3  # generators and context managers that open others
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_NOTHING = object()


def find_late_commit(call: Any, places: Places) -> dict[str, Any] | None:
    """Where the first is, and whether it is in a `finally`, so that it commits after errors too."""
    return next(_commits(call, places, 0), None)


def _commits(call: Any, places: Places, depth: int) -> Iterator[dict[str, Any]]:
    owner, function = getattr(call, "__self__", _NOTHING), plain(call)
    if owner is _NOTHING and not inspect.isfunction(call) and not inspect.isclass(call):
        owner = call  # an object with __call__
    read = _read(function)
    if read is None:
        return
    node, first = read
    made = [each for each in _walk(node) if isinstance(each, (ast.Yield, ast.YieldFrom))]
    if not made:
        return
    names = _names(function, node, owner)
    above = _around(node, made[-1])
    for each in _walk(node):
        if _is_commit(each) and each.lineno > made[-1].lineno:
            for is_always in _when(node, each, above):
                place = {"file": places.path(function.__code__.co_filename)}
                yield {**place, "line": first + each.lineno - 1, "is_always": is_always}
    for opened in _opened(above, made[-1]):
        yield from _of_opened(opened, names, (function, first), places, depth)


def _read(function: Any) -> tuple[Any, int] | None:
    try:
        lines, first = inspect.getsourcelines(function)
        node = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    return (node, first) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else None


def _walk(node: ast.AST) -> Iterator[Any]:
    """What a function does itself, not what is in the functions in it."""
    for each in ast.iter_child_nodes(node):
        yield each
        if not isinstance(each, _SCOPES):
            yield from _walk(each)


def _around(node: ast.AST, wanted: ast.AST) -> list[Any]:
    """What `wanted` stands in, from the outside in."""
    for each in ast.iter_child_nodes(node):
        if each is wanted:
            return [node]
        if not isinstance(each, _SCOPES):
            found = _around(each, wanted)
            if found:
                return [node, *found]
    return []


def _is_commit(node: Any) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
    )


def _when(node: ast.AST, commit: ast.AST, above: list[Any]) -> list[bool]:
    """Nothing where only an error leads there; True in the `finally` around the yield."""
    path = _around(node, commit)
    if any(isinstance(each, ast.ExceptHandler) for each in path):
        return []
    below = [*path[1:], commit]
    for index, each in enumerate(path):
        if isinstance(each, ast.Try) and each in above and below[index] in each.finalbody:
            return [True]
    return [False]


def _opened(above: list[Any], made: Any) -> Iterator[Any]:
    """The contexts that are left behind the yield, and the generators that it passes on."""
    if isinstance(made, ast.YieldFrom):
        yield made.value
    for each in above:
        if isinstance(each, (ast.With, ast.AsyncWith)):
            yield from (item.context_expr for item in each.items)
        elif isinstance(each, (ast.For, ast.AsyncFor)):
            yield each.iter


def _of_opened(
    opened: Any, names: dict[str, Any], here: tuple[Any, int], places: Places, depth: int
) -> Iterator[dict[str, Any]]:
    if not isinstance(opened, ast.Call) or depth >= _DEEPEST:
        return
    function, first = here
    if isinstance(opened.func, ast.Attribute) and opened.func.attr == "begin":
        owner = _resolve(opened.func.value, names)
        if owner is _NOTHING or _is_of_sqlalchemy(owner):
            file = places.path(function.__code__.co_filename)
            yield {"file": file, "line": first + opened.lineno - 1, "is_always": False}
        return
    called = _resolve(opened.func, names)
    if called is _NOTHING or _is_of_sqlalchemy(called):
        return
    if inspect.isclass(called):
        for name in ("__aexit__", "__exit__"):
            yield from _of_leaving(getattr(called, name, None), places)
    else:
        yield from _commits(called, places, depth + 1)


def _of_leaving(leaving: Any, places: Places) -> Iterator[dict[str, Any]]:
    """The commits of `__aexit__`; whether they come after errors too is not looked at."""
    read = _read(leaving) if inspect.isfunction(leaving) else None
    if read is None:
        return
    node, first = read
    for each in _walk(node):
        if _is_commit(each):
            file = places.path(leaving.__code__.co_filename)
            yield {"file": file, "line": first + each.lineno - 1, "is_always": False}


def _is_of_sqlalchemy(value: object) -> bool:
    """Whether it is an object or a class of SQLAlchemy's, or of a subclass."""
    made = value if inspect.isclass(value) else type(value)
    return any(str(each.__module__).startswith("sqlalchemy") for each in made.__mro__)


def _names(function: Any, node: Any, owner: object) -> dict[str, Any]:
    """Globals and closure; not what the function binds itself, but for `self`."""
    names = dict(function.__globals__)
    for name, cell in list(zip(function.__code__.co_freevars, function.__closure__ or ())):  # noqa: B905 - Python 3.8
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not bound yet
            names.pop(name, None)
    given = [each.arg for each in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    stored = [
        each.id
        for each in _walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    ]
    for name in [*given, *stored]:
        names.pop(name, None)
    if owner is not _NOTHING and given:
        names[given[0]] = owner
    return names


def _resolve(node: Any, names: dict[str, Any]) -> Any:
    """The object that a dotted name is, without running a property."""
    if isinstance(node, ast.Name):
        return names.get(node.id, _NOTHING)
    if not isinstance(node, ast.Attribute):
        return _NOTHING
    owner = _resolve(node.value, names)
    if owner is _NOTHING or isinstance(owner, types.ModuleType):
        return getattr(owner, "__dict__", {}).get(node.attr, _NOTHING)
    return _attribute(owner, node.attr)


def _attribute(owner: Any, name: str) -> Any:
    try:
        found = inspect.getattr_static(owner, name)
    except AttributeError:
        return _NOTHING
    if isinstance(found, (staticmethod, classmethod)):
        return found.__func__
    if isinstance(found, property):
        return _NOTHING
    is_method = inspect.isfunction(found) and not inspect.isclass(owner)
    return types.MethodType(found, owner) if is_method else found
