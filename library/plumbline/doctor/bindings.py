"""What the names of a file and of its functions are bound to."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from plumbline.doctor.tree import Function, scope_of


@dataclass
class Bindings:
    """The names of a file: what is imported, as dotted names, and what is defined there."""

    imported: dict[str, str] = field(default_factory=dict)
    defined: dict[str, Function | ast.ClassDef | ast.expr] = field(default_factory=dict)
    starred: list[str] = field(default_factory=list)


def bindings_of(tree: ast.Module, package: str) -> Bindings:
    """Of a file; `package` is where its relative imports begin."""
    found = Bindings()
    for node in _top_level(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, dotted in imports(node, package):
                if name == "*":
                    found.starred.append(dotted)
                else:
                    found.imported[name] = dotted
        elif isinstance(node, Function | ast.ClassDef):
            found.defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            found.defined.update(dict.fromkeys(names, node.value))
    return found


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under `if` and `try` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _top_level([*node.body, *node.orelse])
            for handler in node.handlers if isinstance(node, ast.Try) else ():
                yield from _top_level(handler.body)


def imports(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, and the dotted name that it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            bound = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or bound, bound
        return
    parts = package.split(".") if package else []
    base = parts[: len(parts) - node.level + 1] if node.level else []
    source = ".".join([*base, *([node.module] if node.module else [])])
    for alias in node.names:
        whole = source if alias.name == "*" else f"{source}.{alias.name}"
        yield alias.asname or alias.name, whole


def _parameters(given: ast.arguments) -> list[str]:
    several = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [each.arg for each in [*several, given.vararg, given.kwarg] if each is not None]


def names_in(function: ast.AST, package: str) -> Iterator[tuple[str, str | None]]:
    """What a function binds: imports as dotted names, and None for parameters and values."""
    if isinstance(function, Function | ast.Lambda):
        yield from ((name, None) for name in _parameters(function.args))
    binding = scope_of(function).binding
    shared = {name for node in binding if isinstance(node, ast.Global) for name in node.names}
    for node in binding:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node, package)
        elif isinstance(node, ast.Name):
            if node.id not in shared:
                yield node.id, None
        elif isinstance(node, Function | ast.ClassDef):
            yield node.name, None
