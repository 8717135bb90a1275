"""Ways through a syntax tree. A file is walked once, and each scope keeps what is in it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import TypeVar

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)

_SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})
_BINDING = frozenset(
    {
        ast.Assign, ast.AnnAssign, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor,
        ast.Import, ast.ImportFrom, ast.Global,
    }
)  # fmt: skip
# Fields that bear no expression or statement: texts, numbers, load and store, operators.
_PLAIN = {
    "id", "ctx", "op", "ops", "name", "attr", "arg", "level", "module", "kind", "kwd_attrs",
    "type_comment", "is_async", "conversion", "simple", "names", "asname", "rest", "type_params",
    "type_ignores", "str",
}  # fmt: skip
_LEAVES = (ast.Constant, ast.Global, ast.Nonlocal, ast.alias, ast.MatchSingleton)
_KEPT = "_plumbline_scope"  # the attribute of a node that is a scope


class Scope:
    """What is in a function, a lambda or a class, without what is in those in it.

    In the order of the file: all nodes, the calls, and what binds names.
    """

    __slots__ = ("binding", "calls", "nodes")

    def __init__(self) -> None:
        self.nodes: list[ast.AST] = []
        self.calls: list[ast.Call] = []
        self.binding: list[ast.AST] = []


class Tree:
    """The parents of all nodes below `root`, the nodes of each class in order, and the scopes."""

    def __init__(self, root: ast.AST) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: dict[type, list[ast.AST]] = defaultdict(list)
        self._enter(root)

    def _enter(self, top: ast.AST) -> None:
        """Walk a scope, from its first node to its last; those in it on the way."""
        scope = Scope()
        vars(top)[_KEPT] = scope
        waiting = [top]
        while waiting:
            node = waiting.pop()
            kind = type(node)
            scope.nodes.append(node)
            if kind in _SCOPES and node is not top:
                scope.binding.append(node)
                self._enter(node)
                continue
            self.nodes[kind].append(node)
            if isinstance(node, ast.Call):
                scope.calls.append(node)
            elif kind in _BINDING or (isinstance(node, ast.Name) and type(node.ctx) is ast.Store):
                scope.binding.append(node)
            below = children(node)
            for each in below:
                self.parents[each] = node
            below.reverse()
            waiting.extend(below)


@cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if issubclass(kind, _LEAVES):
        return ()
    return tuple(name for name in kind._fields if name not in _PLAIN)


def children(node: ast.AST) -> list[ast.AST]:
    """As ast.iter_child_nodes, without what bears no name: load, store, operators."""
    found: list[ast.AST] = []
    for name in _fields(type(node)):  # type: ignore[arg-type] # a class can be hashed
        value = getattr(node, name, None)
        if type(value) is list:
            found += [each for each in value if each is not None]
        elif value is not None:
            found.append(value)
    return found


def scope_of(node: ast.AST) -> Scope:
    """Of a function, a lambda or a class."""
    if _KEPT not in vars(node):
        Tree(node)  # of a file that no rule has walked
    found: Scope = vars(node)[_KEPT]
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """`node` and what is in it, in order; not what is in the functions and classes in it."""
    return scope_of(node).nodes if type(node) in _SCOPES else list(_walk(node))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        if type(each) not in _SCOPES:
            waiting.extend(reversed(children(each)))


def calls_in(node: ast.AST) -> list[ast.Call]:
    """Those of `node` itself, without the functions in it."""
    if type(node) in _SCOPES:
        return scope_of(node).calls
    return [each for each in _walk(node) if isinstance(each, ast.Call)]


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
