"""The engines that a project makes, and how many processes make them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.doctor.calls import Called, calls_of
from plumbline.doctor.project import Project
from plumbline.doctor.sessions import SQLALCHEMY
from plumbline.doctor.source import Module
from plumbline.doctor.tree import argument, constant, has_unknown, keyword, walk

_DEFAULT_SIZE, _DEFAULT_OVERFLOW = 5, 10  # SQLAlchemy's
_ASIDE = re.compile(r"__main__|development|debug|local|test", re.IGNORECASE)
_WORKERS = re.compile(r"(?:--workers|-w)[ =\",']+(\d+)\b")
_STARTED_BY = re.compile(r"(?:gunicorn|uvicorn|fastapi|hypercorn)")


@dataclass(frozen=True)
class Engine:
    """A call of create_engine or create_async_engine in code that requests run."""

    module: Module
    call: ast.Call
    is_async: bool
    options: dict[str, ast.expr] | None

    def has(self, name: str) -> bool:
        """Whether an argument is given, or may be: by `**options` that cannot be read."""
        return self.options is None or name in self.options

    @property
    def keeps_connections(self) -> bool:
        """Not with SQLite, nor with a pool that keeps none, nor for one function alone."""
        if self.options is None or "creator" in self.options or "async_creator" in self.options:
            return False
        pool = self.options.get("poolclass")
        if pool is not None and "QueuePool" not in ast.unparse(pool):
            return False
        if "check_same_thread" in ast.unparse(self.call):  # SQLite's own
            return False
        url = ast.unparse(self.call.args[0]) if self.call.args else ""
        return re.search("sqlite|mysql|oracle|mssql", url, re.IGNORECASE) is None

    def most_connections(self, project: Project) -> int | None:
        """Pool and overflow; None where one of them is not known."""
        if self.options is None:
            return None
        size = number(project, self.module, self.options.get("pool_size"), _DEFAULT_SIZE)
        more = number(project, self.module, self.options.get("max_overflow"), _DEFAULT_OVERFLOW)
        return None if size is None or more is None or more < 0 else size + more


def engines(project: Project) -> list[Engine]:
    """Those that live as long as the process, outside of tests and scripts."""
    return project.remember(_engines)


def _engines(project: Project) -> list[Engine]:
    return [
        Engine(each.module, each.node, "async" in each.dotted, _options(project, each))
        for each in calls_of(project, SQLALCHEMY, "create_engine", "create_async_engine")
        if not _is_short_lived(each.module, each.node)
    ]


def _is_short_lived(module: Module, call: ast.Call) -> bool:
    """A local value of a function that keeps it nowhere, or for scripts, development or tests."""
    asked = [ast.unparse(each.test) for each in module.above(call) if isinstance(each, ast.If)]
    if any(_ASIDE.search(each) for each in asked):
        return True
    function = module.function_of(call)
    made = module.parents.get(call)
    if isinstance(made, ast.Assign) and ast.unparse(made.targets[0]).startswith("test_"):
        return True
    if function is None or not isinstance(made, ast.Assign | ast.AnnAssign):
        return False
    target = made.targets[0] if isinstance(made, ast.Assign) else made.target
    return isinstance(target, ast.Name) and not _is_kept(function, target.id)


def _is_kept(function: ast.AST, name: str) -> bool:
    """Returned, global, or assigned to what outlives the function."""
    for node in walk(function):
        if isinstance(node, ast.Global) and name in node.names:
            return True
        if isinstance(node, ast.Return | ast.Yield):
            held: ast.AST | None = node.value
        elif isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name):
            held = node.value
        else:
            continue
        if held is not None and any(
            isinstance(each, ast.Name) and each.id == name for each in walk(held)
        ):
            return True
    return False


def _options(project: Project, made: Called) -> dict[str, ast.expr] | None:
    """The arguments by name, those of `**options` too where that is a literal; else None."""
    call = made.node
    found = {each.arg: each.value for each in call.keywords if each.arg}
    if not has_unknown(call):
        return found
    for each in call.keywords:
        if each.arg is None:
            literal = _literal(project, made.module, each.value)
            if literal is None:
                return None
            found |= literal
    return found


def _literal(project: Project, module: Module, node: ast.expr) -> dict[str, ast.expr] | None:
    if isinstance(node, ast.Name) and re.search(
        rf"\b{node.id}(\.update\(|\.setdefault\(|\[[^\]]*\]\s*=[^=])".encode(), module.source
    ):
        return None  # what it holds is decided elsewhere
    found = project.definition(module, node)
    node = found.node if found is not None and isinstance(found.node, ast.expr) else node
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {
            str(constant(key)): value for key, value in zip(node.keys, node.values, strict=True)
        }
    return None


def number(
    project: Project, module: Module, node: ast.expr | None, default: int | None
) -> int | None:
    """A literal, a constant, or the default of a field of the settings; None if unknown."""
    if node is None:
        return default
    value = constant(node)
    if isinstance(value, int):
        return value
    if isinstance(node, ast.Attribute):
        return _default_of_field(project, node.attr)
    found = project.definition(module, node)
    if found is not None and isinstance(found.node, ast.Constant):
        return number(project, found.module, found.node, None)
    return None


def _default_of_field(project: Project, name: str) -> int | None:
    """The default that a class of settings gives a field, if only one does."""
    found = {value for each, value in project.remember(_fields) if each == name}
    return found.pop() if len(found) == 1 else None


def _fields(project: Project) -> list[tuple[str, int]]:
    return list(_numbers_of_settings(project))


def _numbers_of_settings(project: Project) -> Iterator[tuple[str, int]]:
    for module in project.served:
        if b"BaseSettings" not in module.source:
            continue
        for node in module.every(ast.AnnAssign):
            if not isinstance(node.target, ast.Name) or module.function_of(node) is not None:
                continue
            given = node.value
            if isinstance(given, ast.Call):
                given = argument(given, 0, "default") or keyword(given, "default")
            value = constant(given)
            if isinstance(value, int) and not isinstance(value, bool):
                yield node.target.id, value


def most_workers(project: Project) -> tuple[int | None, str]:
    """The largest number of worker processes that a file starts the service with, and the file."""
    found: list[tuple[int, str]] = []
    for path in project.files:
        name = path.rpartition("/")[2]
        if re.match(r"(Dockerfile|Procfile|docker-compose|compose|.*\.sh$|Makefile)", name):
            text = (project.root / path).read_text(errors="replace")
            found += [
                (int(each[1]), path)
                for line in re.sub(r"\\\n", " ", text).splitlines()
                if _STARTED_BY.search(line)
                for each in _WORKERS.finditer(line)
            ]
        elif "gunicorn" in name and name.endswith(".py"):
            text = (project.root / path).read_text(errors="replace")
            found += [
                (int(each), path)
                for each in re.findall(r"^workers\s*=\s*(\d+)\s*$", text, re.MULTILINE)
            ]
    return max(found, default=(None, ""))
