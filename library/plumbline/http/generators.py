"""Reads the source of a generator: whether it commits after its `yield`."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from tokenize import TokenError
from types import FunctionType
from typing import Any

Position = tuple[int, int]
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def function_of(call: Callable[..., Any]) -> FunctionType | None:
    """The function that runs when `call` is called; None for a class, and for what is no Python."""
    while isinstance(call, partial):
        call = call.func
    found: Any = inspect.unwrap(call)
    if not inspect.isroutine(found) and not inspect.isclass(found):
        found = inspect.unwrap(type(found).__call__)
    found = getattr(found, "__func__", found)
    return found if isinstance(found, FunctionType) else None


def namespace_of(function: FunctionType) -> dict[str, Any]:
    """What the names in it mean: those of its module, and those around it."""
    around: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            around[name] = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    return function.__globals__ | around


def source_of(function: FunctionType) -> _Function | None:
    """Its syntax tree; None where there is no source, or where that is not one definition."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, TokenError):
        return None
    made = tree.body[0] if tree.body else None
    return made if isinstance(made, _Function) else None


def commits_after_its_yield(function: FunctionType) -> bool:
    """Whether it commits when it goes on after its `yield`, itself or by what it drives."""
    return _commits(function, set())


def _commits(function: FunctionType, seen: set[FunctionType]) -> bool:
    definition = None if function in seen else source_of(function)
    if definition is None:
        return False
    seen.add(function)
    nodes = list(own_nodes(definition))
    yields = [node for node in nodes if isinstance(node, ast.Yield | ast.YieldFrom)]
    if not yields:
        return False
    first = min(_position(node) for node in yields)
    last = max((node.end_lineno or 0, node.end_col_offset or 0) for node in yields)
    after = (node for node in nodes if isinstance(node, ast.Call) and _position(node) > first)
    if any(_is_call_of(node, {"commit"}) for node in after):
        return True
    names = namespace_of(function)
    return any(_drives_a_commit(each, names, seen) for each in _held(nodes, last))


def own_nodes(definition: ast.AST) -> Iterator[ast.AST]:
    """All below it, but for what nested functions and classes consist of."""
    for node in ast.iter_child_nodes(definition):
        yield node
        if not isinstance(node, _NESTED):
            yield from own_nodes(node)


def _position(node: ast.expr) -> Position:
    return node.lineno, node.col_offset


def _held(nodes: list[ast.AST], last_yield: Position) -> Iterator[ast.expr]:
    """The expressions that stay open over a yield: of blocks, loops and exit stacks."""
    for node in nodes:
        if isinstance(node, ast.With | ast.AsyncWith) and _yields(node):
            yield from (item.context_expr for item in node.items)
        elif isinstance(node, ast.For | ast.AsyncFor) and _yields(node):
            yield node.iter
        elif isinstance(node, ast.YieldFrom):
            yield node.value
        elif isinstance(node, ast.Call) and _enters(node) and _position(node) < last_yield:
            yield from node.args


def _yields(block: ast.AST) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(block))


def _enters(node: ast.AST) -> bool:
    """An exit stack's: a `with` without a block."""
    return _is_call_of(node, {"enter_context", "enter_async_context"})


def _is_call_of(node: ast.AST, methods: set[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in methods
    )


def _drives_a_commit(held: ast.expr, names: dict[str, Any], seen: set[FunctionType]) -> bool:
    return any(
        _is_call_of(node, {"begin"}) or _is_committing(resolve(node, names), seen)
        for node in ast.walk(held)
    )


def _is_committing(meant: object, seen: set[FunctionType]) -> bool:
    """A context manager or a generator that commits at its end."""
    if isinstance(meant, type):
        return _commits_at_exit(meant)
    function = function_of(meant) if callable(meant) else None
    return function is not None and _commits(function, seen)


def resolve(node: ast.AST, names: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever it names
    """What a name means, or an attribute of it; None where running the code would tell."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return inspect.getattr_static(names.get(node.value.id), node.attr, None)
    return None


def _commits_at_exit(manager: type) -> bool:
    """A unit of work: its own `__aexit__` calls `commit`. SQLAlchemy's sessions only close."""
    exits = [getattr(manager, name, None) for name in ("__aexit__", "__exit__")]
    trees = [source_of(each) for each in exits if isinstance(each, FunctionType)]
    return any(_is_call_of(node, {"commit"}) for tree in trees if tree for node in own_nodes(tree))
