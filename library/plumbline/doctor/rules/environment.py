"""Alembic's env.py: which models it sees, and how long a migration waits."""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.bindings import imports
from plumbline.doctor.finding import Severity
from plumbline.doctor.project import Definition, Project
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.source import Module
from plumbline.doctor.tables import Model, models

_DYNAMIC = re.compile(rb"importlib|pkgutil|__import__|walk_packages|iter_modules|import_models")
_TIMEOUT = re.compile(rb"lock_timeout", re.IGNORECASE)


def _environments(project: Project) -> list[Module]:
    """The files env.py that say what the models are."""
    return [
        module
        for module in project.modules
        if module.path.rpartition("/")[2] == "env.py"
        and b"target_metadata" in module.source
        and b"alembic" in module.source
    ]


@rule("PL604", Severity.STOPS_THE_SERVICE, "Alembic does not see all models")
def models_not_imported(project: Project) -> Iterator[Fault]:
    known = project.remember(models)
    for environment in _environments(project) if known else ():
        seen = _imported(project, environment)
        targets = {each.node for each in _targets(project, environment)}
        if seen is None or not targets:
            continue
        missed: dict[Module, list[Model]] = {}
        for model in known.values():
            roots = {each.node for each in model.roots}
            if roots & targets and model.module not in seen:
                missed.setdefault(model.module, []).append(model)
        for module, each in missed.items():
            yield fault(
                module,
                each[0].node,
                f"{environment.path} imports nothing that imports this file: autogenerate writes no"
                f" table for {each[0].node.name}, or drops the one that is there",
            )


def _targets(project: Project, environment: Module) -> Iterator[Definition]:
    """What `target_metadata = Base.metadata` takes its tables from."""
    given = environment.bindings.defined.get("target_metadata")
    for each in ast.walk(given) if given is not None else ():
        if isinstance(each, ast.Attribute) and each.attr == "metadata":
            found = project.definition(environment, each.value)
            if found is not None:
                yield found


def _imported(project: Project, environment: Module) -> set[Module] | None:
    """All modules that it imports, and those that they import; None where code decides that."""
    seen: set[Module] = set()
    waiting = [environment]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        if _DYNAMIC.search(module.source):
            return None
        seen.add(module)
        for whole in module.every(ast.Import):
            waiting.extend(_modules(project, module, whole))
        for part in module.every(ast.ImportFrom):
            waiting.extend(_modules(project, module, part))
    return seen


def _modules(
    project: Project, module: Module, node: ast.Import | ast.ImportFrom
) -> Iterator[Module]:
    """Those that an import runs: a module, what it takes from it, and the packages above it."""
    dotted = [each.name for each in node.names] if isinstance(node, ast.Import) else []
    dotted += [whole for _, whole in imports(node, module.package)]
    for each in dotted:
        parts = each.split(".")
        for end in range(1, len(parts) + 1):
            found = project.find_module(".".join(parts[:end]), module)
            if found is not None:
                yield found


@rule("PL609", Severity.HAZARD, "a migration waits for its lock as long as it likes")
def no_lock_timeout(project: Project) -> Iterator[Fault]:
    environments = _environments(project)
    if not environments or any(_TIMEOUT.search(each.source) for each in project.modules):
        return
    for path in project.files:
        if path.endswith((".ini", ".yml", ".yaml", ".sh", ".sql", ".env")):
            file = project.root / path
            if _TIMEOUT.search(file.read_bytes()):
                return
    for environment in environments:
        node = next((each for each in environment.every(ast.Call) if _configures(each)), None)
        if node is not None:
            yield fault(
                environment,
                node.func,
                "while ALTER TABLE waits for one long transaction, everybody who comes later waits"
                " behind it, reads too: set lock_timeout, and try again",
            )


def _configures(call: ast.Call) -> bool:
    """`context.configure(connection=…)`."""
    return ast.unparse(call.func) == "context.configure" and any(
        each.arg == "connection" for each in call.keywords
    )
