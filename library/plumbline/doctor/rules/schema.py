"""Migrations, and the database that tests run on."""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.finding import Severity
from plumbline.doctor.histories import heads, histories, newest_scripts
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY
from plumbline.doctor.source import Module
from plumbline.doctor.tree import constant, keyword

_OF_TESTS = re.compile("test", re.IGNORECASE)


@rule("PL601", Severity.LOSES_DATA, "tests empty the database that the settings name")
def tests_on_the_database(project: Project) -> Iterator[Fault]:
    for module in project.tests:
        if b"drop_all" not in module.source:
            continue
        if re.search(rb"DATABASE_URL|environ|TEST|testcontainers|_test\b|sqlite", module.source):
            continue  # it says which database it means
        for node in module.every(ast.Attribute):
            engine = _engine_given(module, node) if node.attr == "drop_all" else None
            found = project.definition(module, engine)
            if found is None or found.module.is_test or not isinstance(found.node, ast.Call):
                continue
            made = project.resolve(found.module, found.node.func)
            url = ast.unparse(found.node)
            if is_one_of(made, SQLALCHEMY, "create_engine", "create_async_engine") and not (
                _OF_TESTS.search(url) or "sqlite" in url
            ):
                yield fault(
                    module,
                    node,
                    "the tests drop all tables of the database that the service itself is"
                    " configured with: with the wrong .env that is the real one",
                )


def _engine_given(module: Module, node: ast.Attribute) -> ast.expr | None:
    """`drop_all(bind=engine)`, or `connection.run_sync(….drop_all)` in `engine.begin()`."""
    call = module.parents.get(node)
    if isinstance(call, ast.Call) and call.func is node:
        return keyword(call, "bind") or (call.args[0] if call.args else None)
    for above in module.above(node):
        if isinstance(above, ast.AsyncWith | ast.With):
            for item in above.items:
                opened = item.context_expr
                if isinstance(opened, ast.Call) and isinstance(opened.func, ast.Attribute):
                    return opened.func.value
    return None


@rule("PL602", Severity.STOPS_THE_SERVICE, "the migrations have several heads")
def several_heads(project: Project) -> Iterator[Fault]:
    for scripts in project.remember(histories):
        ends = heads(scripts)
        if len(ends) > 1:
            names = ", ".join(sorted(ends))
            module, node = ends[max(ends)]
            yield fault(
                module,
                node,
                f"`alembic upgrade head` refuses: the heads are {names}; join them with"
                " `alembic merge heads`",
            )


@rule("PL603", Severity.STOPS_THE_SERVICE, "a new column must have a value, and no row has one")
def required_column_without_default(project: Project) -> Iterator[Fault]:
    for module in newest_scripts(project):
        for call in module.every(ast.Call):
            column = _required_column(project, module, call)
            if column is not None:
                yield fault(
                    module,
                    column,
                    "PostgreSQL refuses this on a table with rows, and the deployment with it:"
                    " give it a server_default, or make it NOT NULL after filling it",
                )


def _required_column(project: Project, module: Module, call: ast.Call) -> ast.Call | None:
    """Of `op.add_column(…)` in upgrade()."""
    function = module.function_of(call)
    if function is None or function.name != "upgrade":
        return None
    if not is_one_of(project.resolve(module, call.func), "alembic", "add_column"):
        return None
    column = next((each for each in call.args if isinstance(each, ast.Call)), None)
    if column is None or constant(keyword(column, "nullable")) is not False:
        return None
    return (
        None if keyword(column, "server_default") or "Computed" in ast.unparse(column) else column
    )
