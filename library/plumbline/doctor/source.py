"""The files of a project, and each Python file as a tree that knows its parents.

A file is parsed when a rule asks for it, with the running Python, and where that is too old for it
with tree-sitter's help (older_syntax.py). Nothing of the project is imported or run.
"""

import ast
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from plumbline.doctor.bindings import Bindings, bindings_of
from plumbline.doctor.finding import Place
from plumbline.doctor.older_syntax import new_parser, write_older
from plumbline.doctor.templates import dotted_name, readings
from plumbline.doctor.tree import Function, Node, Tree

_SKIPPED = {"node_modules", "site-packages", "__pycache__", "build", "dist", "venv", "env"}
_OF_TESTS = re.compile(
    r"(^|/)([^/]*_)?(tests?|testing|e2e)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$"
)
_ASIDE = re.compile(
    r"(^|/)(scripts?|bin|tools|examples?|docs?|docs_src|benchmarks?|alembic|migrations|versions"
    r"|seeds?|fixtures|load_?tests?)/"
    r"|(^|/)(smoke|seed|init_db|initial_data|bootstrap|populate|prestart|backend_pre_start)[^/]*\.py$"
)
_MARKS_OF_TEMPLATES = re.compile(rb"\{%|\{\{")
MOST_BYTES = 2_000_000  # of a file; larger ones are data


@dataclass(frozen=True)
class Unread:
    """A Python file that no rule has seen, and why."""

    path: str
    reason: str


@dataclass(eq=False)
class Module:
    """A Python file. `path` is relative to the project's folder, `name` the dotted path."""

    root: Path
    path: str
    unread: list[Unread] = field(repr=False, default_factory=list)

    @cached_property
    def name(self) -> str:
        return dotted_name(self.path)

    @property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")

    @cached_property
    def is_test(self) -> bool:
        return _OF_TESTS.search(self.path) is not None

    @cached_property
    def is_aside(self) -> bool:
        """A script, an example or a migration: code that no request runs."""
        return _ASIDE.search(self.path) is not None

    @cached_property
    def source(self) -> bytes:
        """Empty where it is too large, and where it cannot be read; then `unread` says so."""
        file = self.root / self.path
        try:
            return b"" if file.stat().st_size > MOST_BYTES else file.read_bytes()
        except OSError as error:
            self.unread.append(Unread(self.path, str(error.strerror)))
            return b""

    @cached_property
    def lines(self) -> list[str]:
        return lines_of(self.source)

    @cached_property
    def tree(self) -> ast.Module:
        """Empty where the file cannot be read; then `unread` says so."""
        try:
            return _parse(self.source)
        except (SyntaxError, ValueError, RecursionError) as error:
            reason = f"no Python: {error}"
            if _MARKS_OF_TEMPLATES.search(self.source):
                reason = "a template"
            elif isinstance(error, SyntaxError) and new_parser() is None:
                reason = "newer Python: pip install 'plumbline-fastapi[doctor]'"
            self.unread.append(Unread(self.path, reason))
            return ast.Module(body=[], type_ignores=[])

    def read(self) -> Tree:
        """Parse the file, and walk its tree once."""
        return self._indexed

    @cached_property
    def _indexed(self) -> Tree:
        return Tree(self.tree)

    @property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return self._indexed.parents

    def every(self, kind: type[Node]) -> list[Node]:
        """All nodes of just this class, in the order of the file."""
        return self._indexed.nodes.get(kind, [])  # type: ignore[return-value] # by its class

    @cached_property
    def package(self) -> str:
        """Where relative imports begin."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @cached_property
    def bindings(self) -> Bindings:
        return bindings_of(self.tree, self.package)

    def functions(self) -> Iterator[Function]:
        """All functions of the file, methods and inner ones too."""
        yield from self.every(ast.FunctionDef)
        yield from self.every(ast.AsyncFunctionDef)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What `node` stands in, from the inside out."""
        parents = self.parents
        while (parent := parents.get(node)) is not None:
            yield parent
            node = parent

    def function_of(self, node: ast.AST) -> Function | None:
        """The innermost function around `node`; None too where that is a lambda."""
        for each in self.above(node):
            if isinstance(each, Function | ast.Lambda):
                return each if isinstance(each, Function) else None
        return None

    def place(self, node: ast.expr | ast.stmt | ast.excepthandler) -> Place:
        """Of a statement that contains others, its first line."""
        end, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        if hasattr(node, "body") and not isinstance(node, ast.expr):
            end, end_column = node.lineno, len(self._bytes(node.lineno))
        return Place(
            node.lineno,
            self._characters(node.lineno, node.col_offset),
            end,
            self._characters(end, end_column),
        )

    def _bytes(self, line: int) -> bytes:
        return self.lines[line - 1].encode() if line <= len(self.lines) else b""

    def _characters(self, line: int, column: int) -> int:
        return len(self._bytes(line)[:column].decode(errors="replace"))


def _parse(source: bytes) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        if b"{%" in source:
            return _parse_template(source, error)
        parser = new_parser()
        if parser is None:
            raise
    try:
        return ast.parse(write_older(source, parser))
    except SyntaxError as error:
        if b"{{" not in source:
            raise
        return _parse_template(source, error)


def _parse_template(source: bytes, error: SyntaxError) -> ast.Module:
    """As the first of its readings that is Python, also a newer one."""
    parser = new_parser()
    for each in readings(source):
        with suppress(SyntaxError):
            return ast.parse(each)
        if parser is not None:
            with suppress(SyntaxError):
                return ast.parse(write_older(each, parser))
    raise error


def lines_of(source: bytes) -> list[str]:
    """As Python counts them: a form feed or U+2028 ends none, as str.splitlines has it."""
    return re.split("\r\n|\r|\n", source.decode(errors="replace"))


def find_files(root: Path) -> Iterator[str]:
    """Paths relative to `root`, sorted; not those of installed packages or hidden folders."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            each
            for each in folders
            if each not in _SKIPPED
            and not each.startswith(".")
            and not Path(folder, each, "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file():  # no link to nowhere
                yield str(file.relative_to(root))
