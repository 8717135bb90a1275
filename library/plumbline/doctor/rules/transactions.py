"""Errors that are swallowed, and sessions that nobody closes."""

import ast
from collections.abc import Iterator

from plumbline.doctor.dependencies import dependencies, yields_in
from plumbline.doctor.finding import Severity
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY, Session, sessions_in
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, calls_in, method, root_name, walk

_FAILING = {"commit", "flush"}
_BROAD = {"Exception", "BaseException", "SQLAlchemyError", "DBAPIError", "IntegrityError"}
_REPORTING = {
    "debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print", "str",
    "repr", "format_exc", "print_exc", "capture_exception", "type",
}  # fmt: skip


@rule("PL003", Severity.LOSES_DATA, "an error of the database is swallowed")
def swallowed_error(project: Project) -> Iterator[Fault]:
    for module in project.served:
        for node in module.every(ast.Try):
            function = module.function_of(node)
            given = _given_in(project, module, function) if function else {}
            failed = [call for each in node.body if given for call in _failing(each, given)]
            if not failed or _is_savepoint(node):
                continue
            for handler in node.handlers:
                if _is_broad(project, module, handler) and _goes_on(handler):
                    name = root_name(failed[0].func)
                    yield fault(
                        module,
                        handler,
                        f"after a failed `{method(failed[0])}()` the session `{name}` goes on"
                        " without rollback: what else it was given is lost, and nobody is told",
                    )


def _given_in(project: Project, module: Module, function: Function) -> dict[str, Session]:
    """The sessions that others have made, and will use and end."""
    known = sessions_in(project, module, function)
    return {name: each for name, each in known.items() if not each.is_own}


def _failing(node: ast.stmt, given: dict[str, Session]) -> Iterator[ast.Call]:
    for call in calls_in(node):
        if method(call) in _FAILING and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if isinstance(owner, ast.Name) and owner.id in given:
                yield call


def _is_savepoint(node: ast.Try) -> bool:
    return any(method(call) == "begin_nested" for each in node.body for call in calls_in(each))


def _is_broad(project: Project, module: Module, handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {str(project.resolve(module, kind)) for kind in kinds if kind is not None}
    return handler.type is None or any(
        name in _BROAD or is_one_of(name, SQLALCHEMY, *_BROAD) for name in names
    )


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """It neither raises nor rolls back, and hands the error to nobody who might."""
    for statement in handler.body:
        for node in walk(statement):
            if isinstance(node, ast.Raise):
                return False
            if isinstance(node, ast.Call):
                called = method(node) or (node.func.id if isinstance(node.func, ast.Name) else "")
                if called not in _REPORTING:
                    return False
    return True


@rule("PL004", Severity.STOPS_THE_SERVICE, "a session stays open when the handler fails")
def session_left_open(project: Project) -> Iterator[Fault]:
    given = {each.function for each in dependencies(project)}
    for module in project.served:
        if b"ession" not in module.source:
            continue
        for function in module.functions():
            for made, name in _made_here(project, module, function):
                is_dependency = function in given and bool(yields_in(function))
                if _is_closed(function, name) or (
                    not is_dependency and _is_handed_on(function, name)
                ):
                    continue
                yield fault(
                    module,
                    made,
                    f"`{function.name}` closes its session `{name}` only if all goes well: a failed"
                    " or cancelled request keeps its connection and its transaction",
                )


def _made_here(
    project: Project, module: Module, function: Function
) -> Iterator[tuple[ast.stmt, str]]:
    """The sessions that a function assigns to a name of its own."""
    for each in sessions_in(project, module, function).values():
        made = module.parents.get(each.node)
        if (
            each.is_own
            and isinstance(made, ast.Assign | ast.AnnAssign)
            and "connection" not in ast.unparse(each.node)  # of another session, which has it
        ):
            yield made, each.name


def _is_handed_on(function: Function, name: str) -> bool:
    """To who calls, to an attribute, or to another function: then that may close it."""
    for node in walk(function):
        if isinstance(node, ast.Return | ast.Yield | ast.Call):
            held = (
                [*node.args, *(each.value for each in node.keywords)]
                if isinstance(node, ast.Call)
                else [node.value]
            )
        elif isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name):
            held = [node.value]
        else:
            continue
        if any(isinstance(each, ast.Name) and each.id == name for each in held):
            return True
    return False


def _is_closed(function: Function, name: str) -> bool:
    """In a `finally`, or by a `with`."""
    for node in walk(function):
        if isinstance(node, ast.Try) and any(
            root_name(call.func) == name or _is_given(call, name)
            for statement in node.finalbody
            for call in calls_in(statement)
        ):
            return True
        if isinstance(node, ast.With | ast.AsyncWith) and any(
            root_name(item.context_expr) == name or _is_given(item.context_expr, name)
            for item in node.items
        ):
            return True
    return False


def _is_given(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and any(
        isinstance(each, ast.Name) and each.id == name for each in node.args
    )
