"""How engines are made, and how many connections they open."""

import ast
import re
from collections.abc import Iterator

from plumbline.doctor.calls import calls_of
from plumbline.doctor.dependencies import run_by_requests
from plumbline.doctor.engines import Engine, engines, most_workers
from plumbline.doctor.finding import Edit, Place, Severity
from plumbline.doctor.manifests import requirements
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import SQLALCHEMY
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, calls_in, constant, walk

_MOST_CONNECTIONS = 100  # of PostgreSQL, where nobody says another number
_TIMEOUTS = re.compile(rb"statement_timeout|command_timeout|transaction_timeout")
_DRIVERS = {"asyncpg": "asyncpg", "psycopg": "psycopg", "psycopg2": "psycopg2", "pg8000": "pg8000"}


@rule("PL101", Severity.STOPS_THE_SERVICE, "connections are not tested before use")
def connections_not_tested(project: Project) -> Iterator[Fault]:
    for engine in engines(project):
        if engine.keeps_connections and not engine.has("pool_pre_ping"):
            yield fault(
                engine.module,
                engine.call.func,
                "without pool_pre_ping=True, requests fail with the connections that a restart,"
                " a failover or a firewall has closed",
                edit=_one_more(engine, "pool_pre_ping=True"),
            )


def _one_more(engine: Engine, argument: str) -> Edit | None:
    """Put an argument behind the last one, where the call ends in its line."""
    last = [*engine.call.args, *(each.value for each in engine.call.keywords)]
    if not last or engine.call.lineno != engine.call.end_lineno:
        return None
    at = engine.module.place(max(last, key=lambda each: each.end_col_offset or 0))
    return Edit(Place(at.end_line, at.end_column, at.end_line, at.end_column), f", {argument}")


@rule("PL102", Severity.STOPS_THE_SERVICE, "a request makes an engine of its own")
def engine_per_request(project: Project) -> Iterator[Fault]:
    for module, function, _ in run_by_requests(project):
        if _is_made_once(function):
            continue
        for node in calls_in(function):
            if not _is_kept(module, node) and is_one_of(
                project.resolve(module, node.func),
                SQLALCHEMY,
                "create_engine",
                "create_async_engine",
            ):
                yield fault(
                    module,
                    node.func,
                    f"each call of `{function.name}` makes an engine, which is a pool of its own:"
                    " under load they open more connections than the server has",
                )


def _is_made_once(function: Function) -> bool:
    """Cached, or kept in a global name."""
    if any("cache" in ast.unparse(each) for each in function.decorator_list):
        return True
    return any(isinstance(node, ast.Global | ast.Nonlocal) for node in walk(function))


def _is_kept(module: Module, node: ast.Call) -> bool:
    """Assigned to an attribute or an item, so that it is made once."""
    kept = module.parents.get(node)
    kinds = ast.Attribute | ast.Subscript
    return isinstance(kept, ast.Assign) and isinstance(kept.targets[0], kinds)


@rule("PL103", Severity.STOPS_THE_SERVICE, "more connections than the server has")
def too_many_connections(project: Project) -> Iterator[Fault]:
    workers, source = most_workers(project)
    if workers is None or _has_a_pooler(project):
        return
    for engine in engines(project):
        size = engine.most_connections(project)
        if engine.keeps_connections and size is not None and size * workers > _MOST_CONNECTIONS:
            yield fault(
                engine.module,
                engine.call.func,
                f"{workers} workers ({source}) with up to {size} connections each are"
                f" {size * workers}; PostgreSQL takes {_MOST_CONNECTIONS} unless told otherwise,"
                " and refuses the rest",
            )


def _has_a_pooler(project: Project) -> bool:
    """PgBouncer, or a server that was told another number, in a file that starts services."""
    for path in project.files:
        if path.endswith((".yml", ".yaml", ".sh", ".conf")) and "/." not in path:
            text = (project.root / path).read_text(errors="replace")
            if re.search(r"pgbouncer|pgcat|supavisor|max_connections", text, re.IGNORECASE):
                return True
    return False


@rule("PL104", Severity.HAZARD, "a statement may take for ever")
def no_timeouts(project: Project) -> Iterator[Fault]:
    if any(_TIMEOUTS.search(module.source) for module in project.modules):
        return
    for engine in engines(project):
        if engine.keeps_connections and not engine.has("connect_args"):
            yield fault(
                engine.module,
                engine.call.func,
                "nothing bounds a statement or the wait for the server: when it hangs, requests"
                " hang, and their connections with them",
            )


@rule("PL105", Severity.STOPS_THE_SERVICE, "tables are made at the start of the service")
def create_all_at_start(project: Project) -> Iterator[Fault]:
    for module, function in _starts(project):
        for node in walk(function):
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "create_all"
                and "metadata" in ast.unparse(node.value).lower()
                and not _is_guarded(module, node)
            ):
                yield fault(
                    module,
                    node,
                    "each start runs create_all: two workers at once fail, and a column that a"
                    " model gets later is never added",
                )


def _starts(project: Project) -> Iterator[tuple[Module, ast.AST]]:
    """The lifespan and what it calls, two levels deep, and the modules that make an application."""
    seen: set[ast.AST] = set()
    for module in {each.module for each in calls_of(project, "fastapi", "FastAPI")}:
        yield module, ast.Module(body=_outside_functions(module), type_ignores=[])
    for module in project.served:
        for function in module.functions():
            if function.decorator_list and _is_start(function):
                yield from _with_called(project, module, function, seen)


def _outside_functions(module: Module) -> list[ast.stmt]:
    """Statements that the import of a module runs, without `if __name__ == "__main__"`."""
    return [
        each for each in module.tree.body if not isinstance(each, Function | ast.ClassDef | ast.If)
    ]


def _is_start(function: Function) -> bool:
    text = [ast.unparse(each) for each in function.decorator_list]
    if any(".on_event('startup')" in each for each in text):
        return True
    given = [ast.unparse(arg.annotation) for arg in function.args.args if arg.annotation]
    return any("contextmanager" in each for each in text) and any(
        each.rpartition(".")[2] in {"FastAPI", "Starlette"} for each in given
    )


def _with_called(
    project: Project, module: Module, function: Function, seen: set[ast.AST], depth: int = 0
) -> Iterator[tuple[Module, ast.AST]]:
    if function in seen:
        return
    seen.add(function)
    yield module, function
    if depth < 2:  # noqa: PLR2004 - levels
        for node in walk(function):
            if isinstance(node, ast.Call) and not _is_guarded(module, node):
                called = project.called(module, node)
                if called is not None and isinstance(called.node, Function):
                    yield from _with_called(project, called.module, called.node, seen, depth + 1)


def _is_guarded(module: Module, node: ast.AST) -> bool:
    """Under an `if`, which asks where it runs, or beside Alembic's stamp."""
    function = module.function_of(node)
    if function is not None and any(
        isinstance(each, ast.Attribute) and each.attr in {"stamp", "upgrade"}
        for each in walk(function)
    ):
        return True
    return any(isinstance(each, ast.If) for each in module.above(node))


@rule("PL106", Severity.STOPS_THE_SERVICE, "the driver of the URL is not among the requirements")
def driver_missing(project: Project) -> Iterator[Fault]:
    known = {name for _, name, _ in project.remember(requirements)}
    if "sqlalchemy" not in known and "sqlmodel" not in known:
        return  # the requirements are elsewhere
    locked = any(path.endswith(".lock") for path in project.files)
    for module in project.served:
        for node in module.every(ast.Constant) if b"postgresql+" in module.source else ():
            found = re.match(r"postgresql\+(\w+)://", str(constant(node)))
            driver = _DRIVERS.get(found[1]) if found else None
            if driver and not locked and not any(name.startswith(driver) for name in known):
                yield fault(
                    module,
                    node,
                    f"the URL names {driver}, which no requirement brings: the first connection"
                    f" raises ModuleNotFoundError: No module named '{driver}'",
                )


@rule("PL107", Severity.HAZARD, "a lost connection is not the error that is caught")
def wrong_error_of_asyncpg(project: Project) -> Iterator[Fault]:
    known = {name for _, name, _ in project.remember(requirements)}
    if "asyncpg" not in known or known & {"aiosqlite", "psycopg", "aiomysql", "asyncmy"}:
        return
    for module in project.served:
        if b"OperationalError" not in module.source:
            continue
        for handler in module.every(ast.ExceptHandler):
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            names = [project.resolve(module, each) for each in kinds]
            if names and all(is_one_of(each, "sqlalchemy", "OperationalError") for each in names):
                yield fault(
                    module,
                    handler,
                    "asyncpg raises no OperationalError: a lost connection is a DBAPIError whose"
                    " connection_invalidated is True, and a refused one is an OSError",
                )
