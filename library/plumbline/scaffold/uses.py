"""Where other code uses a resource, so that it cannot go yet."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from plumbline.scaffold.models import parse
from plumbline.scaffold.names import Names
from plumbline.scaffold.project import Plan, Project

IsUse = Callable[[ast.AST], bool]


def find_uses(plan: Plan, project: Project, names: Names, helpers: set[str]) -> Iterator[str]:
    """Each place, as `tests/api/test_index.py:12`, in the files as they will be.

    `helpers` are the functions of the tests that are gone with it.
    """
    in_code: list[IsUse] = [
        lambda node: _is_import(node, project, names),
        lambda node: _is_name(node, names),
    ]
    in_tests: list[IsUse] = [  # other text of a test may be anything
        lambda node: _is_import(node, project, names),
        lambda node: _is_helper(node, helpers),
        lambda node: _is_address(node, names),
    ]
    words = re.compile("|".join([names.one, names.many, names.class_name, *helpers]))
    for folder, kinds in ((project.code, in_code), (project.root / "tests", in_tests)):
        for file, text in sorted(plan.sources(folder).items()):
            if "migrations" not in file.parts and words.search(text):  # most files name none
                yield from (f"{plan.name(file)}:{line}" for line in _lines(file, text, kinds))


def _lines(file: Path, text: str, kinds: list[IsUse]) -> list[int]:
    found = {
        node.lineno
        for node in ast.walk(parse(file, text))
        if isinstance(node, ast.stmt | ast.expr | ast.arg) and any(is_use(node) for is_use in kinds)
    }
    return sorted(found)


def names_class(node: ast.AST, class_name: str) -> bool:
    """Whether the class is in it, also as text: `list["Book"]`."""
    word = re.compile(rf"\b{class_name}\b")
    return any(
        (isinstance(each, ast.Name) and each.id == class_name)
        or (isinstance(each, ast.Constant) and bool(word.search(str(each.value))))
        for each in ast.walk(node)
    )


def _is_name(node: ast.AST, names: Names) -> bool:
    """As in `relationship("Book")`, `Mapped["Book"]` and `ForeignKey("books.id")`."""
    return isinstance(node, ast.Constant) and node.value in {names.class_name, f"{names.many}.id"}


def _is_import(node: ast.AST, project: Project, names: Names) -> bool:
    gone = {
        f"{project.package}.db.models": {names.one, names.class_name},
        f"{project.package}.services": {names.many},
        f"{project.package}.api": {names.many},
    }
    match node:
        case ast.ImportFrom(module=str(module), names=imported):
            package, _, name = module.rpartition(".")
            found = {alias.name for alias in imported}
            return name in gone.get(package, set()) or bool(found & gone.get(module, set()))
    return False


def _is_helper(node: ast.AST, helpers: set[str]) -> bool:
    """An import of one, or a fixture that a test asks for."""
    match node:
        case ast.ImportFrom(module=str(module), names=imported) if module.startswith("tests."):
            return bool({alias.name for alias in imported} & helpers)
        case ast.arg(arg=name):
            return name in helpers
        case ast.Call(func=ast.Attribute(attr="usefixtures"), args=asked):
            return any(isinstance(each, ast.Constant) and each.value in helpers for each in asked)
    return False


def _is_address(node: ast.AST, names: Names) -> bool:
    """As in `/api/v1/books/1`."""
    match node:
        case ast.Constant(value=str(text)):
            return re.search(rf"/v\d+/{names.many}\b", text) is not None
    return False
