"""`remove resource`: its own files, its registrations, what leads to it, and its tables."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.scaffold.edits import Source, apply
from plumbline.scaffold.models import models_of, parse
from plumbline.scaffold.names import Names, plural_of
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.registrations import unregister
from plumbline.scaffold.running import add_migration, tidy
from plumbline.scaffold.uses import find_uses, names_class

_ADVICE = "# Run it when no release that reads them is running any more.\n"
_REASON = "`remove resource {0.one}` took what reads it"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def plan_removal(project: Project, names: Names) -> Plan:
    """All that goes; OperatorError where other code still uses it, with each place."""
    plan = Plan(project.root)
    remove_files(plan, project, names)
    add_migration(plan, project, f"remove {names.words[1]}")
    give_reason(plan, names)
    return plan


def remove_files(plan: Plan, project: Project, names: Names) -> None:
    """As `plan_removal`, without the migration."""
    project.require_layout()
    if not plan.has(project.path(f"db/models/{names.one}.py")):
        raise OperatorError(f"there is no {project.package}/db/models/{names.one}.py")
    for path in _own_files(plan, project, names):
        plan.remove(path)
    unregister(plan, project, names)
    _remove_relationships(plan, project, names)
    gone = _remove_makers(plan, project, names)
    tidy(plan, project, [path for path, text in plan.after.items() if text is not None])
    if uses := sorted(find_uses(plan, project, names, gone)):
        places = "; ".join(uses)
        raise OperatorError(f"take {names.words[0]} out of these places first: {places}")


def give_reason(plan: Plan, names: Names) -> None:
    """Say in the migration why its tables may go: nobody asks for that by accident."""
    for path, text in plan.after.items():
        is_new = text is not None and plan.before[path] is None and path.parent.name == "versions"
        upgrade = (text or "").partition("def downgrade")[0]
        tables = re.findall(r'op\.drop_table\("(\w+)"', upgrade) if is_new else []
        if not text or not tables:
            continue
        lines = "".join(f'    "drop-table {each}": "{_REASON.format(names)}",\n' for each in tables)
        head, function, rest = text.partition("\n\ndef upgrade")
        plan.after[path] = f"{head}\n{_ADVICE}SAFE = {{\n{lines}}}\n{function}{rest}"


def _own_files(plan: Plan, project: Project, names: Names) -> list[Path]:
    """Those that are called as it is; of tests also those about `books_of_users` and so on."""
    code = (f"db/models/{names.one}.py", f"services/{names.many}.py", f"api/{names.many}.py")
    about = re.compile(rf"test_({names.one}|{names.many}(_\w+)?)\.py")
    tests = [path for path in plan.sources(project.root / "tests") if about.fullmatch(path.name)]
    return [*filter(plan.has, map(project.path, code)), *sorted(tests)]


def _remove_relationships(plan: Plan, project: Project, names: Names) -> None:
    """Those of other models to it: what would be empty is no use of it."""
    for path, text in plan.sources(project.path("db/models")).items():
        classes = [each for each in parse(path, text).body if isinstance(each, ast.ClassDef)]
        lines = [line for each in classes for line in each.body]
        _remove(plan, path, [line for line in lines if _is_relationship(line, names.class_name)])


def _is_relationship(line: ast.stmt, class_name: str) -> bool:
    """As in `books: Mapped[list["Book"]] = relationship(…)`."""
    match line:
        case (
            ast.AnnAssign(value=ast.Call(func=ast.Name("relationship")))
            | ast.Assign(value=ast.Call(func=ast.Name("relationship")))
        ):
            return names_class(line, class_name)
    return False


def _remove_makers(plan: Plan, project: Project, names: Names) -> set[str]:
    """Functions and fixtures that give one to tests, in what tests share; their names."""
    gone: set[str] = set()
    for path, text in plan.sources(project.root / "tests").items():
        if not path.name.startswith("test_") and names.class_name in text:
            functions = [each for each in parse(path, text).body if isinstance(each, Function)]
            makers = [
                each
                for each in functions
                if each.returns is not None and names_class(each.returns, names.class_name)
            ]
            _remove(plan, path, makers)
            gone |= {each.name for each in makers}
    return gone


def _remove(plan: Plan, path: Path, lines: Sequence[ast.stmt]) -> None:
    if lines:
        text = plan.text(path)
        plan.write(path, apply(text, map(Source(text).without_lines, lines)))


def names_of(project: Project, name: str, plural: str | None) -> Names:
    """Of a resource that is there, told by either of its names: its table says the other one."""
    for model in models_of(Plan(project.root), project).values():
        if name in {model.name, model.table}:
            return Names(model.name, plural or model.table)
    return Names(name, plural or plural_of(name))
