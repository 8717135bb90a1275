"""Sessions that more than one task, request or thread uses."""

import ast
from collections.abc import Iterator

from plumbline.doctor.dependencies import routes
from plumbline.doctor.finding import Severity
from plumbline.doctor.manifests import versions
from plumbline.doctor.project import Project, is_one_of
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import Session, kind_of_made, sessions_in
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, calls_in, constant, keyword, method, walk

_STREAMS = ("StreamingResponse", "EventSourceResponse")


@rule("PL005", Severity.LOSES_DATA, "several tasks use one session")
def session_shared_by_tasks(project: Project) -> Iterator[Fault]:
    for module in project.served:
        if b"gather" not in module.source and b"create_task" not in module.source:
            continue
        for function in module.functions():
            sessions = sessions_in(project, module, function)
            for call in calls_in(function) if sessions else ():
                if is_one_of(project.resolve(module, call.func), "asyncio", "gather"):
                    for name in _shared(call, sessions):
                        yield fault(
                            module,
                            call,
                            f"the tasks of this `gather` all use the session `{name}`, which runs"
                            " one statement at a time: the second fails, or sees what the first"
                            " has half done",
                        )


def _shared(call: ast.Call, sessions: dict[str, Session]) -> list[str]:
    """The sessions that several of the arguments use, or each turn of a comprehension."""
    found = []
    for name, session in sessions.items():
        if session.kind != "async":
            continue
        users = [each for each in call.args if _uses(each, name)]
        repeated = [each for each in users if isinstance(each, ast.Starred) and _repeats(each)]
        if len(users) > 1 or repeated:
            found.append(name)
    return found


def _repeats(node: ast.Starred) -> bool:
    return isinstance(node.value, ast.ListComp | ast.GeneratorExp | ast.SetComp)


def _uses(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in walk(node))


@rule("PL006", Severity.LOSES_DATA, "one session serves all requests")
def global_session(project: Project) -> Iterator[Fault]:
    for module in project.served:
        for statement in module.tree.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(
                statement.value, ast.Call
            ):
                continue
            dotted = project.resolve(module, statement.value.func)
            if is_one_of(dotted, "sqlalchemy sqlmodel", "scoped_session", "async_scoped_session"):
                continue
            if kind_of_made(project, module, statement.value) is not None and _is_open(statement):
                yield fault(
                    module,
                    statement,
                    "this session is made once and used by all requests: each commits and rolls"
                    " back what the others are doing",
                )


def _is_open(statement: ast.Assign | ast.AnnAssign) -> bool:
    """Whether what is assigned is a session, not a block that makes one."""
    return isinstance(statement.value, ast.Call) and method(statement.value) != "begin"


@rule("PL007", Severity.LOSES_DATA, "a session is used after its request")
def session_after_request(project: Project) -> Iterator[Fault]:
    for route in routes(project):
        module, function = route.module, route.node
        assert isinstance(function, Function)
        given = {
            name: each
            for name, each in sessions_in(project, module, function).items()
            if each.depends is not None
        }
        for call in calls_in(function) if given else ():
            yield from _later(project, module, function, call, given)


def _later(
    project: Project, module: Module, function: Function, call: ast.Call, given: dict[str, Session]
) -> Iterator[Fault]:
    dotted = project.resolve(module, call.func)
    if method(call) == "add_task":
        used = [name for name in given if any(_is(each, name) for each in call.args[1:])]
        used += [name for name in given if any(_is(each.value, name) for each in call.keywords)]
        for name in used:
            yield _used_later(project, module, call, given[name], "a background task")
    elif is_one_of(dotted, "asyncio", "create_task", "ensure_future"):
        if isinstance(module.parents.get(call), ast.Expr):
            for name in (name for name in given if _uses(call, name)):
                yield fault(
                    module,
                    call,
                    f"nothing waits for this task, and it uses the session `{name}` of the request:"
                    " that is closed, and its connection another request's, while the task runs",
                )
    elif is_one_of(dotted, "fastapi starlette sse_starlette", *_STREAMS):
        for name in (name for name in given if _streams(module, function, call, name)):
            yield _used_later(project, module, call, given[name], "the stream")


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _streams(module: Module, function: Function, call: ast.Call, name: str) -> bool:
    """Whether the body of a stream is a generator that uses the session."""
    del module
    body = call.args[0] if call.args else keyword(call, "content")
    if not isinstance(body, ast.Call):
        return False
    if any(_is(each, name) for each in [*body.args, *(one.value for one in body.keywords)]):
        return True
    inner = [
        each
        for each in walk(function)
        if isinstance(each, Function) and each is not function and _is(body.func, each.name)
    ]
    return any(_uses(each, name) for each in inner)


def _used_later(
    project: Project, module: Module, call: ast.Call, session: Session, who: str
) -> Fault:
    known = versions(project, module.path)
    assert session.depends is not None
    scope = constant(keyword(session.depends, "scope"))
    if known.answers_after_exit and scope != "function":
        return fault(
            module,
            call,
            f"{who} uses the session `{session.name}` of the request: its connection and its"
            " transaction stay open until that ends, and with scope='function' it is closed by"
            " then",
            Severity.HAZARD,
        )
    return fault(
        module,
        call,
        f"{who} uses the session `{session.name}` of the request, which is closed by then"
        f"{known.about}: SQLAlchemy opens it again, and nobody commits or closes it",
    )
