"""The corrections that change nothing else, as a diff or in the files."""

import difflib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from plumbline.doctor.finding import Edit, Finding


def corrected(root: Path, findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """Each file that can be corrected: its path, its text, and the text as it would be."""
    edits: dict[str, set[Edit]] = defaultdict(set)
    for each in findings:
        if each.edit is not None:
            edits[each.path].add(each.edit)
    for path, wanted in edits.items():
        text = (root / path).read_bytes().decode()  # with the ends of lines as they are
        yield path, text, _apply(text, wanted)


def _apply(text: str, edits: set[Edit]) -> str:
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda each: (each.place.line, each.place.column), reverse=True):
        index, place = edit.place.line - 1, edit.place
        line = lines[index]
        lines[index] = line[: place.column] + edit.text + line[place.end_column :]
    return "\n".join(lines)


def write_diff(path: str, before: str, after: str) -> str:
    """As `git diff` prints it, so that `git apply` takes it."""
    lines = difflib.unified_diff(
        [f"{line}\n" for line in before.removesuffix("\n").split("\n")],
        [f"{line}\n" for line in after.removesuffix("\n").split("\n")],
        f"a/{path}",
        f"b/{path}",
    )
    return "".join(lines)
