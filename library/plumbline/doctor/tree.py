"""Ways through a syntax tree."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TypeVar

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
# Fields that bear no expression or statement: texts, numbers, load and store, operators.
_PLAIN = {
    "id", "ctx", "op", "ops", "name", "attr", "arg", "level", "module", "kind", "kwd_attrs",
    "type_comment", "is_async", "conversion", "simple", "names", "asname", "rest", "type_params",
    "type_ignores",
}  # fmt: skip


@cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if issubclass(kind, ast.Constant | ast.Global | ast.Nonlocal | ast.alias):
        return ()
    return tuple(name for name in kind._fields if name not in _PLAIN)


def children(node: ast.AST) -> list[ast.AST]:
    """As ast.iter_child_nodes, without what bears no name: load, store, operators."""
    found: list[ast.AST] = []
    for name in _fields(type(node)):  # type: ignore[arg-type] # a class can be hashed
        value = getattr(node, name, None)
        if type(value) is list:
            found.extend(each for each in value if isinstance(each, ast.AST))
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """`node` and what is in it, in order; not what is in the functions and classes in it."""
    return list(_walk(node)) if not isinstance(node, _SCOPES) else _body(node)


@lru_cache(maxsize=50_000)
def _body(node: ast.AST) -> list[ast.AST]:
    return list(_walk(node))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        if each is node or not isinstance(each, _SCOPES):
            waiting.extend(reversed(children(each)))


class Tree:
    """The parents of all nodes below `root`, and the nodes of each class in order."""

    def __init__(self, root: ast.AST) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: dict[type, list[ast.AST]] = defaultdict(list)
        waiting = [root]
        while waiting:
            node = waiting.pop()
            self.nodes[type(node)].append(node)
            below = children(node)
            for each in below:
                self.parents[each] = node
            below.reverse()
            waiting.extend(below)


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Those of `node` itself, without the functions in it."""
    return (each for each in walk(node) if isinstance(each, ast.Call))


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """What `name=` is given; None too where it is left out."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def has_unknown(call: ast.Call) -> bool:
    """Whether arguments may come from a `**` or a `*`."""
    return any(each.arg is None for each in call.keywords) or any(
        isinstance(each, ast.Starred) for each in call.args
    )


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """The argument at `position`, or by its name."""
    given = call.args[position] if len(call.args) > position else None
    return keyword(call, name) if given is None else given


def constant(node: ast.AST | None) -> object:
    """The value of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def method(call: ast.Call) -> str:
    """`commit` in `db.commit()`; empty for a call of a name."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def root_name(node: ast.AST | None) -> str | None:
    """`db` in `db.session.commit`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
