"""How the service is started where it serves people."""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.calls import calls_of
from plumbline.doctor.finding import Edit, Place, Severity
from plumbline.doctor.project import Project
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY
from plumbline.doctor.source import Module, lines_of
from plumbline.doctor.tree import constant, keyword

_STARTS = re.compile(r"\b(uvicorn|gunicorn|hypercorn)\b[^#]*--reload\b|\bfastapi\s+dev\b")
_FILE = re.compile(r"(^|/)(Dockerfile[^/]*|Procfile|(docker-)?compose[^/]*(prod|staging)[^/]*)$")
_OF_DEVELOPMENT = re.compile(
    r"(^|[/._-])(dev|devel|development|local|test|tests|debug|ci)([/._-]|$)"
)
_SCRIPT = re.compile(r"python3?\S*[\s\",\[\]']+(?:-m[\s\",\[\]']+([\w.]+)|([\w./]+\.py))")


@rule("PL505", Severity.HAZARD, "the service reloads itself where it serves people")
def reload_in_production(project: Project) -> Iterator[Fault]:
    started: set[str] = set()
    for path in project.files:
        if not _FILE.search(path) or _OF_DEVELOPMENT.search(path.lower()):
            continue
        lines = lines_of((project.root / path).read_bytes())
        for number, line in _commands(lines):
            found = _STARTS.search(_plain(line))
            if found is not None:
                yield Fault(path, Place(number, 0, number, len(line)), _MESSAGE)
            started.update(each for pair in _SCRIPT.findall(line) for each in pair if each)
    yield from _reloaded(project, started)


_MESSAGE = (
    "this is the server of a developer's desk: one process that watches its files, restarts when"
    " one changes, and drops the requests that it has"
)


def _commands(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines of the last stage of a Dockerfile, or all of another file."""
    stages = [number for number, line in enumerate(lines, 1) if re.match(r"FROM\s", line)]
    for number, line in enumerate(lines, 1):
        if number >= max(stages, default=0) and not line.lstrip().startswith("#"):
            yield number, line


def _plain(line: str) -> str:
    """`["uvicorn", "app:app", "--reload"]` as a shell has it."""
    return re.sub(r"[\"',\[\]]+", " ", line)


def _reloaded(project: Project, started: set[str]) -> Iterator[Fault]:
    """`uvicorn.run(…, reload=True)` in a file that a container starts."""
    for each in calls_of(project, "uvicorn", "run"):
        given = keyword(each.node, "reload")
        if constant(given) is True and any(_is(each.module, name) for name in started):
            yield fault(each.module, each.node, _MESSAGE)


def _is(module: Module, name: str) -> bool:
    return module.path.endswith(name.removeprefix("./")) or module.name.endswith(name)


@rule("PL507", Severity.HAZARD, "each statement and its values are logged")
def echo_in_production(project: Project) -> Iterator[Fault]:
    for each in calls_of(project, SQLALCHEMY, "create_engine", "create_async_engine"):
        given = keyword(each.node, "echo")
        is_asked = any(isinstance(above, ast.If) for above in each.module.above(each.node))
        if given is not None and constant(given) in {True, "debug"} and not is_asked:
            yield fault(
                each.module,
                given,
                "what people type, and what is stored of them, is in the log; and writing it takes"
                " longer than the statement",
                edit=Edit(each.module.place(given), "False"),
            )
