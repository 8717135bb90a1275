"""Migrations, and the database that tests run on."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from plumbline.doctor.finding import Severity
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
    for scripts in project.remember(_histories):
        heads = _heads(scripts)
        if len(heads) > 1:
            names = ", ".join(sorted(heads))
            module, node = heads[max(heads)]
            yield fault(
                module,
                node,
                f"`alembic upgrade head` refuses: the heads are {names}; join them with"
                " `alembic merge heads`",
            )


_Script = tuple[Module, ast.stmt, str, tuple[str, ...]]


def _histories(project: Project) -> list[list[_Script]]:
    """The scripts of each folder of versions, without those that are branches on purpose."""
    folders: dict[str, list[_Script]] = defaultdict(list)
    marked = set()
    for path, module in ((each.path, each) for each in project.by_name.values()):
        folder = path.rpartition("/")[0]
        if (
            "{{" in folder
            or not re.search(r"(^|/)versions(/|$)", folder)
            or b"down_revision" not in module.source
        ):
            continue
        script = _script(module)
        labels = module.bindings.defined.get("branch_labels")
        if script is None or (labels is not None and ast.unparse(labels) != "None"):
            marked.add(folder)
        else:
            folders[folder].append(script)
    return [scripts for folder, scripts in folders.items() if folder not in marked]


def _script(module: Module) -> _Script | None:
    names = module.bindings.defined
    revision, below = constant(names.get("revision")), names.get("down_revision")
    if not isinstance(revision, str) or below is None:
        return None
    if isinstance(below, ast.Tuple | ast.List):
        follows = tuple(str(constant(each)) for each in below.elts)
    else:
        if not isinstance(below, ast.Constant):
            return None
        follows = (str(below.value),) if below.value is not None else ()
    line = next(each for each in module.tree.body if names["revision"] in ast.walk(each))
    return module, line, revision, follows


def _heads(scripts: list[_Script]) -> dict[str, tuple[Module, ast.stmt]]:
    followed = {each for _, _, _, follows in scripts for each in follows}
    return {
        revision: (module, line)
        for module, line, revision, _ in scripts
        if revision not in followed
    }


@rule("PL603", Severity.STOPS_THE_SERVICE, "a new column must have a value, and no row has one")
def required_column_without_default(project: Project) -> Iterator[Fault]:
    for scripts in project.remember(_histories):
        heads = _heads(scripts)
        for module, _ in heads.values() if len(heads) == 1 else ():
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
