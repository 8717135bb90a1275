"""Upserts: what ON CONFLICT does not do by itself."""

import ast
from collections.abc import Iterator

from plumbline.doctor.calls import methods_called
from plumbline.doctor.finding import Severity
from plumbline.doctor.manifests import requirements
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY
from plumbline.doctor.source import Module
from plumbline.doctor.tables import Model, models
from plumbline.doctor.tree import constant, keyword, root_name, scope_of


@rule("PL408", Severity.HAZARD, "an upsert leaves out what an update sets")
def upsert_forgets_onupdate(project: Project) -> Iterator[Fault]:
    for module, call in methods_called(project, "on_conflict_do_update"):
        given = keyword(call, "set_")
        model = _model_of_insert(project, module, call)
        if model is None or not isinstance(given, ast.Dict) or None in given.keys:
            continue
        written = {
            str(constant(each)) if isinstance(each, ast.Constant) else ast.unparse(each or given)
            for each in given.keys
        }
        forgotten = sorted(model.updated - {each.rpartition(".")[2] for each in written})
        if forgotten and given.keys:
            yield fault(
                module,
                call,
                f"ON CONFLICT DO UPDATE does not run the `onupdate` of"
                f" {model.node.name}.{forgotten[0]}: it keeps the value of the insert",
            )


def _model_of_insert(project: Project, module: Module, call: ast.Call) -> Model | None:
    """Of `insert(Post).values(…).on_conflict_do_update(…)`, by a name of the function too."""
    function = module.function_of(call)
    node: ast.AST | None = call
    name = root_name(call.func)
    if function is not None and name is not None:
        made = [
            each.value
            for each in scope_of(function).binding
            if isinstance(each, ast.Assign)
            and isinstance(each.targets[0], ast.Name)
            and each.targets[0].id == name
            and each.lineno <= call.lineno
        ]
        node = made[-1] if made and project.resolve(module, _root(call)) is None else call
    for each in ast.walk(node) if node is not None else ():
        if (
            isinstance(each, ast.Call)
            and each.args
            and is_one_of(project.resolve(module, each.func), SQLALCHEMY, "insert")
        ):
            found = project.definition(module, each.args[0])
            return None if found is None else project.remember(models).get(found.node)
    return None


def _root(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


@rule("PL409", Severity.STOPS_THE_SERVICE, "an upsert fails from its sixth execution on")
def predicate_with_parameter(project: Project) -> Iterator[Fault]:
    if "asyncpg" not in {name for _, name, _ in project.remember(requirements)}:
        return
    for name in ("on_conflict_do_update", "on_conflict_do_nothing"):
        for module, call in methods_called(project, name):
            given = keyword(call, "index_where")
            if isinstance(given, ast.Compare) and not _is_literal(given.comparators[0]):
                yield fault(
                    module,
                    given,
                    "this is a parameter, and PostgreSQL's generic plan, from the sixth execution"
                    " on each connection, does not find the partial index by it: write"
                    ' text("…")',
                )


def _is_literal(node: ast.expr) -> bool:
    """None, True and False are written into the statement, and so is what is given as text."""
    if isinstance(node, ast.Constant):
        return node.value is None or isinstance(node.value, bool)
    return isinstance(node, ast.Call)
