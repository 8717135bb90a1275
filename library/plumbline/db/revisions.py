"""Which revision the migrations lead to, read from their text: a process that serves asks no more.

Alembic runs each script to learn it. What is read here is what people and `db revision` write, and
nothing that could mean something else: for all the rest there is None, and Alembic is asked.
"""

import ast
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

_SCRIPT = re.compile(r"(?!\.#|__init__).*\.py")  # as Alembic knows them
_PLAIN = re.compile(r"\w+", re.ASCII)  # Alembic gives other characters a meaning, or refuses them
_NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
_NEEDED = {"revision", "down_revision"}
# With one of these Alembic looks elsewhere, or for more.
_ELSEWHERE = {"version_locations", "recursive_version_locations", "sourceless"}


@dataclass(frozen=True)
class Revisions:
    """`head` is the only one that no other follows; None where there are no scripts."""

    head: str | None
    known: frozenset[str]


def read_revisions(scripts: Path, pyproject: Path | None) -> Revisions | None:
    """Those of Alembic's folder `scripts`; None where Alembic has to be asked."""
    folder = scripts / "versions"
    if not folder.is_dir() or _looks_elsewhere(pyproject):
        return None
    follows: dict[str, tuple[str, ...]] = {}
    for file in folder.iterdir():
        if _SCRIPT.fullmatch(file.name) and not file.is_dir():
            read = _read_script(file)
            if read is None or read[0] in follows:
                return None
            follows[read[0]] = read[1]
    return _ordinary(follows)


def _ordinary(follows: Mapping[str, tuple[str, ...]]) -> Revisions | None:
    """None where several are heads, one is missing, or they go round in a circle."""
    before = {each for those in follows.values() for each in those}
    heads = follows.keys() - before
    if len(heads) > 1 or not before <= follows.keys():
        return None
    try:
        TopologicalSorter(follows).prepare()
    except CycleError:
        return None
    return Revisions(next(iter(heads), None), frozenset(follows))


def _looks_elsewhere(pyproject: Path | None) -> bool:
    if pyproject is None or not pyproject.exists():
        return False
    try:
        tools = tomllib.loads(pyproject.read_text()).get("tool", {})
        return bool(_ELSEWHERE & tools.get("alembic", {}).keys())
    except (OSError, ValueError):
        return True


def _read_script(file: Path) -> tuple[str, tuple[str, ...]] | None:
    """A revision, and those that it follows."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return None
    found: dict[str, object] = {}
    if not all(_is_plain(line, found) for line in body) or not found.keys() >= _NEEDED:
        return None
    after = found.get("down_revision") or ()
    before = (after,) if isinstance(after, str) else after
    if (
        found.get("branch_labels")
        or found.get("depends_on")
        or not isinstance(before, tuple | list)
    ):
        return None
    names = [found.get("revision"), *before]
    plain = [each for each in names if isinstance(each, str) and _PLAIN.fullmatch(each)]
    return (plain[0], tuple(plain[1:])) if len(plain) == len(names) else None


def _is_plain(line: ast.stmt, found: dict[str, object]) -> bool:
    """Whether the line gives none of the names a value that only running it would show."""
    match line:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return _note(name, value, found)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return _note(name, value, found)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return not any((each.asname or each.name) in {*_NAMES, "*"} for each in names)
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name not in _NAMES
        case ast.Expr(value=ast.Constant()):  # a docstring
            return True
    return False


def _note(name: str, value: ast.expr, found: dict[str, object]) -> bool:
    """Whether it is written out, and for the first time."""
    if name not in _NAMES:
        return True
    if name in found:
        return False
    try:
        found[name] = ast.literal_eval(value)
    except (ValueError, TypeError):
        return False
    return True
