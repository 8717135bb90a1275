"""Changes of Python files by the places of their syntax tree: what stands around them stays."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """`text` in place of what is from `start` to `end`, both in bytes."""

    start: int
    end: int
    text: str


def apply(source: str, edits: Iterable[Edit]) -> str:
    """All of them at once."""
    encoded = source.encode()
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        encoded = encoded[: edit.start] + edit.text.encode() + encoded[edit.end :]
    return encoded.decode()


class Source:
    """A file as text and as a tree."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        lines = text.encode().splitlines(keepends=True)
        self._starts = [0]
        for line in lines:
            self._starts.append(self._starts[-1] + len(line))
        self._encoded = text.encode()

    def start(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        """Where it begins."""
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        """Where it ends."""
        return self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    def imports_from(self, module: str) -> Iterator[ast.ImportFrom]:
        """The statements `from MODULE import …` of the file."""
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
                yield node

    def append(self, items: list[ast.expr] | list[ast.alias], text: str) -> Edit:
        """One more behind the last of these."""
        end = self.end(items[-1])
        return Edit(end, end, f", {text}")

    def line_before(self, node: ast.stmt, text: str) -> Edit:
        """A statement before this one, as far in."""
        start = self._starts[node.lineno - 1]
        return Edit(start, start, f"{' ' * node.col_offset}{text}\n")

    def without(self, items: list[ast.expr] | list[ast.alias], gone: ast.expr | ast.alias) -> Edit:
        """One of these less, with the comma that is beside it."""
        at = items.index(gone)  # type: ignore[arg-type] # of the same list
        if at + 1 < len(items):
            return Edit(self.start(gone), self.start(items[at + 1]), "")
        start = self.end(items[at - 1]) if at else self.start(gone)
        end = self.end(gone)
        if not at:  # alone: the comma of a tuple of one goes too
            rest = self._encoded[end:]
            end += len(rest) - len(rest.lstrip(b", \n"))
        return Edit(start, end, "")

    def without_lines(self, node: ast.stmt) -> Edit:
        """The statement with the lines that it is on."""
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        return Edit(self._starts[first], self._starts[last], "")


def names_in(node: ast.ImportFrom) -> dict[str, ast.alias]:
    """What the statement imports, by the name that the file calls it."""
    return {alias.asname or alias.name: alias for alias in node.names}
