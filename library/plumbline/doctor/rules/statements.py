"""Statements: what is put into their text, and how many rows and trips they cost."""

import ast
from collections.abc import Iterator

from plumbline.doctor.calls import calls_of, methods_called
from plumbline.doctor.finding import Severity
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY, parameters, sessions_in
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, argument, calls_in, method, walk

_RUNS = {"execute", "scalar", "scalars", "get", "exec"}
_LOOPS = ast.For | ast.AsyncFor
_PARTS = {"scalar_subquery", "as_scalar", "subquery", "cte", "label"}
_TEXTS = {"str", "Optional", "None"}


@rule("PL401", Severity.INSECURE, "a value is written into the text of a statement")
def text_with_values(project: Project) -> Iterator[Fault]:
    for each in calls_of(project, SQLALCHEMY, "text"):
        module, text = each.module, argument(each.node, 0, "text")
        written = [] if text is None else _texts_written(text, module.function_of(each.node))
        for name in list(written)[:1]:
            yield fault(
                module,
                text or each.node,
                f"`{name}` becomes part of the SQL: a caller who decides what it holds decides what"
                " the statement does",
            )


def _texts_written(node: ast.expr, function: Function | None) -> Iterator[str]:
    """Parameters of type str that an f-string, `%`, `+` or format() puts into the text."""
    if function is None:
        return
    texts = {arg.arg for arg, _ in parameters(function) if _is_text(arg.annotation)}
    if isinstance(node, ast.JoinedStr):
        values = [each.value for each in node.values if isinstance(each, ast.FormattedValue)]
    elif isinstance(node, ast.BinOp):
        values = [node.left, node.right]
    elif isinstance(node, ast.Call) and method(node) == "format":
        values = [*node.args, *(each.value for each in node.keywords)]
    else:
        return
    for value in values:
        if isinstance(value, ast.BinOp | ast.JoinedStr):
            yield from _texts_written(value, function)
        elif isinstance(value, ast.Name) and value.id in texts and not _is_checked(function, value):
            yield value.id


def _is_text(annotation: ast.AST | None) -> bool:
    if annotation is None:
        return False
    names = {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)}
    return "str" in names and names <= _TEXTS


def _is_checked(function: Function, value: ast.Name) -> bool:
    """Looked up among allowed ones, matched, quoted or assigned before it is used."""
    for node in walk(function):
        if isinstance(node, ast.Compare) and _names(node) & {value.id}:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == value.id:
            return True
        if (
            isinstance(node, ast.Call)
            and method(node) in {"match", "fullmatch", "isidentifier"}
            and _names(node) & {value.id}
        ):
            return True
    return False


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


@rule("PL402", Severity.HAZARD, "pages by OFFSET")
def offset_paging(project: Project) -> Iterator[Fault]:
    for module, call in methods_called(project, "offset"):
        if (
            (b"sqlalchemy" in module.source or b"sqlmodel" in module.source)
            and call.args
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Call | ast.Name)
            and _is_asked_for(project, module, call.args[0])
        ):
            yield fault(
                module,
                call,
                "the server reads and drops all rows before the page, and rows that come or go"
                " meanwhile are shown twice or never",
            )


def _is_asked_for(project: Project, module: Module, node: ast.expr) -> bool:
    """Whether a number depends on a value of the function, and not on constants alone."""
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    return any(project.resolve(module, each) is None for each in names)


@rule("PL403", Severity.HAZARD, "rows are fetched to be counted")
def rows_fetched_to_count(project: Project) -> Iterator[Fault]:
    for module, rows in methods_called(project, "all"):
        call = module.parents.get(rows)
        if (
            isinstance(call, ast.Call)
            and project.resolve(module, call.func) == "len"
            and {method(each) for each in calls_in(rows)} & {"query", "scalars", "execute", "exec"}
        ):
            yield fault(
                module,
                call,
                "each row travels and becomes an object, to be counted: write select(func.count())",
            )


@rule("PL404", Severity.HAZARD, "a statement for each row")
def statement_per_row(project: Project) -> Iterator[Fault]:
    for module in project.served:
        for function in module.functions():
            sessions = sessions_in(project, module, function)
            if not sessions:
                continue
            for loop in (each for each in walk(function) if isinstance(each, _LOOPS)):
                call = _read_of_each(loop, set(sessions))
                if call is not None:
                    yield fault(
                        module,
                        call,
                        "this SELECT runs once for each turn of the loop: read all of them with one"
                        " statement before it",
                    )


def _read_of_each(loop: ast.For | ast.AsyncFor, sessions: set[str]) -> ast.Call | None:
    """A read in the loop's body, not deeper, that uses what the loop goes through."""
    through = loop.iter.func if isinstance(loop.iter, ast.Call) else loop.iter
    if isinstance(through, ast.Name) and (
        through.id in {"range", "batched", "chunked"} or through.id.isupper()
    ):
        return None
    turning = {each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}
    for statement in loop.body:
        for call in calls_in(statement):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if (
                method(call) in _RUNS
                and isinstance(owner, ast.Name)
                and owner.id in sessions
                and _names(call) & turning
                and (method(call) == "get" or "select" in _names(call))
                and "in_" not in {method(each) for each in calls_in(call)}
            ):
                return call
    return None


@rule("PL407", Severity.HAZARD, "each page counts all rows")
def count_for_each_page(project: Project) -> Iterator[Fault]:
    seen: set[Function] = set()
    for module, call in methods_called(project, "count"):
        function = module.function_of(call)
        if (
            function is not None
            and function not in seen
            and _counts_rows(project, module, call)
            and any(method(each) == "offset" for each in calls_in(function))
        ):
            seen.add(function)
            yield fault(
                module,
                call,
                "counting reads every row that matches, for each page again, and costs more than"
                " the page as the table grows",
            )


def _counts_rows(project: Project, module: Module, call: ast.Call) -> bool:
    """`select(func.count())`, and no count beside other columns, which is of each group."""
    counted = call.func.value if isinstance(call.func, ast.Attribute) else None
    above = module.parents.get(call)
    return (
        is_one_of(project.resolve(module, counted), SQLALCHEMY, "func")
        and isinstance(above, ast.Call)
        and len(above.args) == 1
        and is_one_of(project.resolve(module, above.func), SQLALCHEMY, "select")
        and not _is_part(module, above)
    )


def _is_part(module: Module, node: ast.AST) -> bool:
    """Of another statement: `select(func.count()).where(…).scalar_subquery()`."""
    for above in module.above(node):
        if not isinstance(above, ast.Attribute | ast.Call):
            return False
        if isinstance(above, ast.Attribute) and above.attr in _PARTS:
            return True
    return False
