"""Calls that hold up the event loop, and with it all requests of the process."""

import ast
from collections.abc import Iterator

from plumbline.doctor.dependencies import run_by_requests
from plumbline.doctor.finding import Severity
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import sessions_in
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, calls_in, method, walk

_WAITS = {
    "execute", "scalar", "scalars", "commit", "flush", "refresh", "rollback", "get", "query",
    "delete", "merge", "exec", "get_one", "bulk_save_objects", "bulk_insert_mappings",
}  # fmt: skip
_REQUESTS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_BLOCKING: dict[str, tuple[str, ...]] = {
    "requests": _REQUESTS,
    "httpx": (*_REQUESTS, "stream"),
    "time": ("sleep",),
    "subprocess": ("run", "call", "check_call", "check_output", "getoutput"),
    "os": ("system",),
    "urllib": ("urlopen", "urlretrieve"),
    "psycopg2": ("connect",),
    "psycopg": ("connect",),
}
_HASHES = {
    "bcrypt": ("hashpw", "checkpw"),
    "passlib": ("hash", "verify", "verify_and_update", "encrypt"),
    "argon2": ("hash", "verify"),
    "pwdlib": ("hash", "verify", "verify_and_update"),
}

_HASHING = {name for names in _HASHES.values() for name in names}


@rule("PL201", Severity.STOPS_THE_SERVICE, "a sync session in an async function")
def sync_session_in_async(project: Project) -> Iterator[Fault]:
    for module, function, _ in run_by_requests(project):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        sessions = {
            name
            for name, each in sessions_in(project, module, function).items()
            if each.kind == "sync"
        }
        blocking = [call for call in calls_in(function) if _waits(project, module, call, sessions)]
        if sessions and blocking:
            more = f", as in {len(blocking) - 1} more of its lines" if len(blocking) > 1 else ""
            yield fault(
                module,
                blocking[0],
                f"`async def {function.name}` waits here for the database on the event loop{more}:"
                " meanwhile the process answers nobody",
            )


def _waits(project: Project, module: Module, call: ast.Call, sessions: set[str]) -> bool:
    """A statement on a sync session, or a plain function of the project that is given one."""
    above = module.parents.get(call)
    if isinstance(above, ast.Await):
        return False
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(owner, ast.Name) and owner.id in sessions:
        return method(call) in _WAITS and not _is_only_begun(module, call)
    given = [*call.args, *(each.value for each in call.keywords)]
    if not any(isinstance(each, ast.Name) and each.id in sessions for each in given):
        return False
    called = project.called(module, call)
    if called is None or not isinstance(called.node, ast.FunctionDef):
        return False
    return _runs_statements(called.node)


def _is_only_begun(module: Module, call: ast.Call) -> bool:
    """A query alone, which builds a statement and runs none."""
    return method(call) == "query" and not isinstance(module.parents.get(call), ast.Attribute)


def _runs_statements(function: ast.FunctionDef) -> bool:
    names = {arg.arg for arg in [*function.args.args, *function.args.kwonlyargs]}
    if any(isinstance(node, ast.Yield) for node in walk(function)):
        return False
    return any(
        method(call) in _WAITS
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in names - {"self", "cls"}
        for call in calls_in(function)
    )


@rule("PL202", Severity.STOPS_THE_SERVICE, "a blocking call in an async function")
def blocking_call_in_async(project: Project) -> Iterator[Fault]:
    for module, function, _ in run_by_requests(project):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for call in calls_in(function):
            dotted = project.resolve(module, call.func) or ""
            package, _, _ = dotted.partition(".")
            if is_one_of(dotted, package, *_BLOCKING.get(package, ())) and dotted.count(".") <= 2:  # noqa: PLR2004 - urllib.request.urlopen
                yield fault(
                    module,
                    call,
                    f"`{dotted}` blocks the event loop until it returns: meanwhile the process"
                    " answers nobody",
                )


@rule("PL203", Severity.STOPS_THE_SERVICE, "passwords are hashed on the event loop")
def hashing_on_the_loop(project: Project) -> Iterator[Fault]:
    for module in project.served:
        for function in module.every(ast.AsyncFunctionDef):
            for call in calls_in(function):
                if _hashes(project, module, call) or _calls_a_hash(project, module, call):
                    yield fault(
                        module,
                        call,
                        f"`async def {function.name}` hashes a password on the event loop: some"
                        " log-ins at once, and the process answers nobody for seconds",
                    )
                    break


def _hashes(project: Project, module: Module, call: ast.Call) -> bool:
    dotted = project.resolve(module, call.func)
    if is_one_of(dotted, "bcrypt", *_HASHES["bcrypt"]):
        return True
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _HASHING:
        return False
    made = project.definition(module, call.func.value)
    if made is None or not isinstance(made.node, ast.Call):
        return False
    kind = project.resolve(made.module, made.node.func) or ""
    package = kind.partition(".")[0]
    return call.func.attr in _HASHES.get(package, ())


def _calls_a_hash(project: Project, module: Module, call: ast.Call) -> bool:
    """A plain function of the project that hashes."""
    called = project.called(module, call)
    if called is None or not isinstance(called.node, ast.FunctionDef):
        return False
    memory = project.remember(_hashing)
    function: Function = called.node
    if function not in memory:
        memory[function] = any(_hashes(project, called.module, each) for each in calls_in(function))
    return memory[function]


def _hashing(_: Project) -> dict[Function, bool]:
    return {}
