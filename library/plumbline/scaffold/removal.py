"""`remove resource`: the files that are its own, its registrations, and the tables."""

import ast
from collections.abc import Iterator
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.scaffold.models import models_of, parse
from plumbline.scaffold.names import Names, plural_of
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.registrations import unregister
from plumbline.scaffold.running import add_migration, tidy


def plan_removal(project: Project, names: Names) -> Plan:
    """All that goes; OperatorError where other code still uses it, with each place."""
    project.require_layout()
    plan = Plan(project.root)
    own = [path for path in _own_files(project, names) if path.exists()]
    if not project.path(f"db/models/{names.one}.py").exists():
        raise OperatorError(f"there is no {project.package}/db/models/{names.one}.py")
    for path in own:
        plan.remove(path)
    unregister(plan, project, names)
    tidy(plan, project, [path for path, text in plan.after.items() if text is not None])
    if uses := sorted(_uses(plan, project, names)):
        places = "; ".join(uses)
        raise OperatorError(f"take {names.words[0]} out of these places first: {places}")
    add_migration(plan, project, f"remove {names.words[1]}")
    return plan


def _own_files(project: Project, names: Names) -> list[Path]:
    return [
        project.path(f"db/models/{names.one}.py"),
        project.path(f"services/{names.many}.py"),
        project.path(f"api/{names.many}.py"),
        project.root / f"tests/api/test_{names.many}.py",
    ]


def _uses(plan: Plan, project: Project, names: Names) -> Iterator[str]:
    """Places in other files that would break: imports of what goes, references to it by name."""
    for folder in (project.code, project.root / "tests"):
        for file, text in sorted(plan.sources(folder).items()):
            if "migrations" in file.parts:
                continue
            tree = parse(file, text)
            nodes = [each for each in ast.walk(tree) if _is_import(each, project, names)]
            if folder == project.code:  # text of a test may be anything
                nodes += [each for each in ast.walk(tree) if _is_name(each, names)]
            lines = {each.lineno for each in nodes if isinstance(each, ast.stmt | ast.expr)}
            yield from (f"{plan.name(file)}:{line}" for line in sorted(lines))


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


def names_of(project: Project, name: str, plural: str | None) -> Names:
    """Of a resource that is there, told by either of its names: its table says the other one."""
    for model in models_of(Plan(project.root), project).values():
        if name in {model.name, model.table}:
            return Names(model.name, plural or model.table)
    return Names(name, plural or plural_of(name))
