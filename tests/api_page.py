"""The library's public API, as library/docs/api.md lists it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import plumbline
from tests.postgres import ROOT

LIBRARY = ROOT / "library"
HEAD = """# Public API

Every public name, by module; the [pages](../README.md#or-one-part-at-a-time) say how they work
together. A name that begins with an underscore is not for others. This page is what
`python -m tests.api_page` prints.

## plumbline

The main names, to be imported from `plumbline` itself: {names}.
"""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_NOT_LISTED = {"log"}  # the logger of a module


def modules() -> Iterator[tuple[str, ast.Module]]:
    """The name of each module that has public names, with its syntax tree."""
    for path in sorted(LIBRARY.glob("plumbline/**/*.py")):
        if path.stem not in {"__init__", "__main__"}:
            yield ".".join(path.relative_to(LIBRARY).with_suffix("").parts), _parse(path)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def write_page() -> str:
    names = ", ".join(f"`{name}`" for name in plumbline.__all__)
    sections = [_section(name, tree) for name, tree in modules()]
    return "\n".join([HEAD.format(names=names), *(each for each in sections if each)])


def _section(name: str, tree: ast.Module) -> str:
    lines = [*_definitions(tree), *_values(tree)]
    if not lines:
        return ""
    return "\n".join([f"## {name}\n", f"{_first_line(tree)}\n", *lines, ""])


def _definitions(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | _Function) and not node.name.startswith("_"):
            arguments = f"({_arguments(node)})" if isinstance(node, _Function) else ""
            yield f"- `{node.name}{arguments}`: {_first_line(node)}"


def _arguments(function: _Function) -> str:
    given = function.args
    names = [each.arg for each in [*given.posonlyargs, *given.args]]
    names += [f"*{given.vararg.arg}"] if given.vararg else ["*"] if given.kwonlyargs else []
    names += [each.arg for each in given.kwonlyargs]
    return ", ".join([*names, *([f"**{given.kwarg.arg}"] if given.kwarg else [])])


def _values(tree: ast.Module) -> Iterator[str]:
    """Constants, and types that stand for others: `IfMatch`."""
    targets = [
        target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    public = [name for name in names if not name.startswith("_") and name not in _NOT_LISTED]
    if public:
        yield "- values: " + ", ".join(f"`{name}`" for name in public)


def _first_line(node: ast.Module | ast.ClassDef | _Function) -> str:
    """The first paragraph's first line, which is a sentence."""
    return (ast.get_docstring(node) or "").partition("\n")[0]


if __name__ == "__main__":
    print(write_page(), end="")  # noqa: T201 - what it is for
