"""What two requests at once do to a table, and what a constraint makes of it."""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.dependencies import run_by_requests
from plumbline.doctor.finding import Severity
from plumbline.doctor.project import Project
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.source import Module
from plumbline.doctor.tables import Model, models
from plumbline.doctor.tree import (
    Function,
    calls_in,
    constant,
    method,
    scope_of,
    walk,
)

_SAFE = re.compile(
    r"IntegrityError|UniqueViolation|on_conflict|with_for_update|advisory|\block\b|begin_nested"
    r"|SERIALIZABLE",
    re.IGNORECASE,
)
_HANDLED = re.compile(rb"IntegrityError|UniqueViolation|SQLAlchemyError|DBAPIError|StatementError")
_ASKS = {"where", "filter", "filter_by"}
_MAKES = {"model_validate", "from_orm", "parse_obj"}
_ENDS = ast.Raise | ast.Return
_GENERATED = re.compile(r"uuid|token|secret|random|nanoid|ulid|hash", re.IGNORECASE)


@rule("PL405", Severity.HAZARD, "what must be there once is looked up before it is stored")
def check_then_write(project: Project) -> Iterator[Fault]:
    for module in project.served if project.remember(models) else ():
        if b"add(" not in module.source:
            continue
        for function in module.functions():
            for stored, model in _stored(project, module, function).items():
                asked = _asked_before(project, module, function, model, stored)
                if asked and not _is_guarded(project, function, model, asked):
                    names = ", ".join(sorted(asked))
                    yield fault(
                        module,
                        stored,
                        f"two requests at once both find no {model.node.name} with this {names},"
                        " and both store one: nothing in the table says that it is there once",
                    )


def _stored(project: Project, module: Module, function: Function) -> dict[ast.Call, Model]:
    """The calls that make a row which the function adds, with its model."""
    calls = calls_in(function)
    adds = [call for call in calls if method(call) == "add" and len(call.args) == 1]
    added = {id(each.args[0]) for each in adds}
    names = {each.args[0].id for each in adds if isinstance(each.args[0], ast.Name)}
    found = {}
    for call in calls if adds else ():
        model = _model_made(project, module, call)
        kept = module.parents.get(call)
        target = kept.targets[0] if isinstance(kept, ast.Assign) else None
        if model is not None and (
            id(call) in added or (isinstance(target, ast.Name) and target.id in names)
        ):
            found[call] = model
    return found


def _model_made(project: Project, module: Module, call: ast.Call) -> Model | None:
    """Of `Post(…)`, or `Post.model_validate(…)`."""
    made = call.func
    if isinstance(made, ast.Attribute) and made.attr in _MAKES:
        made = made.value
    found = project.definition(module, made)
    return None if found is None else project.remember(models).get(found.node)


def _asked_before(
    project: Project, module: Module, function: Function, model: Model, stored: ast.Call
) -> set[str]:
    """The columns of a SELECT whose row, if there is one, keeps the function from storing it."""
    for node in scope_of(function).binding:
        if not isinstance(node, ast.Assign) or node.lineno >= stored.lineno:
            continue
        target = node.targets[0]
        if not isinstance(target, ast.Name) or not _decides(module, function, target.id, stored):
            continue
        columns = _compared(project, module, node.value, model)
        if columns:
            return columns
    return set()


def _decides(module: Module, function: Function, name: str, stored: ast.Call) -> bool:
    """`if found: raise …` before it, or `if not found:` around it."""
    for node in walk(function):
        if not isinstance(node, ast.If) or not _is_about(node.test, name):
            continue
        is_absent = _is_negated(node.test)
        if is_absent and any(each is node for each in module.above(stored)):
            return True
        if not is_absent and node.lineno < stored.lineno and isinstance(node.body[-1], _ENDS):
            return True
    return False


def _is_negated(test: ast.expr) -> bool:
    """`not found`, `found is None`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], ast.Is)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _is_about(test: ast.expr, name: str) -> bool:
    """`found`, `not found`, `found is None`, `found is not None`."""
    if isinstance(test, ast.UnaryOp):
        test = test.operand
    if isinstance(test, ast.Compare) and constant(test.comparators[0]) is None:
        test = test.left
    return isinstance(test, ast.Name) and test.id == name


def _compared(project: Project, module: Module, node: ast.AST, model: Model) -> set[str]:
    """The columns of `select(Post).where(Post.slug == slug)` that are compared with `==`."""
    found: set[str] = set()
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or method(call) not in _ASKS:
            continue
        found.update(each.arg for each in call.keywords if each.arg and method(call) == "filter_by")
        for given in call.args:
            if not isinstance(given, ast.Compare) or not isinstance(given.ops[0], ast.Eq):
                return set()  # a condition that no plain constraint says
            column = given.left
            owner = project.definition(module, getattr(column, "value", None))
            if isinstance(column, ast.Attribute) and owner and owner.node is model.node:
                found.add(column.attr)
    return found & model.columns


def _is_guarded(project: Project, function: Function, model: Model, asked: set[str]) -> bool:
    if not model.is_whole or asked & (model.unique | model.keys):
        return True
    if _SAFE.search(ast.unparse(function)):
        return True
    return any(_says_unique(module, model, asked) for module in project.modules if module.is_aside)


def _says_unique(module: Module, model: Model, asked: set[str]) -> bool:
    """Whether a migration may make one of the columns unique."""
    return (
        (model.table or "").encode() in module.source
        and re.search(rb"unique", module.source, re.IGNORECASE) is not None
        and any(each.encode() in module.source for each in asked)
    )


@rule("PL406", Severity.HAZARD, "a value that is taken is answered with 500")
def unique_violation_unhandled(project: Project) -> Iterator[Fault]:
    if any(_HANDLED.search(module.source) for module in project.modules):
        return
    for module, function, _ in run_by_requests(project):
        if module.is_test or module.is_aside or _catches_all(function):
            continue
        for stored, model in list(_stored(project, module, function).items())[:1]:
            given = {each.arg for each in stored.keywords if not _is_generated(each.value)}
            whole = method(stored) in _MAKES or None in given
            names = sorted(model.unique if whole else model.unique & given)
            if names:
                yield fault(
                    module,
                    stored,
                    f"{model.node.name}.{names[0]} is unique, and nothing in the project handles"
                    " IntegrityError: the second request with the same value is answered with 500",
                )


def _is_generated(node: ast.expr) -> bool:
    return _GENERATED.search(ast.unparse(node)) is not None


def _catches_all(function: Function) -> bool:
    for node in walk(function):
        if isinstance(node, ast.ExceptHandler):
            kind = ast.unparse(node.type) if node.type is not None else "Exception"
            if kind in {"Exception", "BaseException"}:
                return True
    return False
