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

    def without(
        self,
        items: list[ast.expr] | list[ast.alias],
        gone: ast.expr | ast.alias,
        *,
        folds: bool = True,
    ) -> list[Edit]:
        """One of these less; if it `folds` the comma behind the last, for which ruff keeps lines.

        The only name of an import stays: ruff takes the statement, which nothing uses.
        """
        at, last = items.index(gone), self.end(items[-1])  # type: ignore[arg-type] # of the list
        end = self.behind_comma(last) if folds or len(items) == 1 else last
        if len(items) == 1:
            is_alias = isinstance(gone, ast.alias)
            return [] if is_alias else [Edit(self.start(gone), end, "")]
        # A tuple of one needs its comma.
        comma = "," if len(items[:-1]) == 1 and isinstance(gone, ast.expr) else ""
        if at + 1 < len(items):
            between = Edit(self.start(gone), self.start(items[at + 1]), "")
            return [between, Edit(last, end, comma)]
        return [Edit(self.end(items[at - 1]), end, comma)]

    def behind_comma(self, end: int) -> int:
        """Where the comma after `end` ends; `end` where there is none."""
        rest = self._encoded[end:].lstrip(b" \n")
        return len(self._encoded) - len(rest) + 1 if rest.startswith(b",") else end

    def without_lines(self, node: ast.stmt) -> Edit:
        """The statement with the lines that it is on."""
        above = getattr(node, "decorator_list", [])
        first = min(each.lineno for each in [node, *above]) - 1
        last = node.end_lineno or node.lineno
        return Edit(self._starts[first], self._starts[last], "")


def names_in(node: ast.ImportFrom) -> dict[str, ast.alias]:
    """What the statement imports, by the name that the file calls it."""
    return {alias.asname or alias.name: alias for alias in node.names}
