"""When a dependency commits: after the response, or although the handler failed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.doctor.dependencies import Dependency, Use, dependencies, yields_in
from plumbline.doctor.finding import Severity
from plumbline.doctor.manifests import Versions, versions
from plumbline.doctor.project import Project
from plumbline.doctor.registry import Fault, fault, rule
from plumbline.doctor.sessions import kind_of_factory, sessions_in
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, calls_in, method, root_name

_DEEPEST = 2  # generators and context managers that open others
_WRITES = {"add", "add_all", "delete", "merge"}


@dataclass(frozen=True)
class _Commit:
    """What commits once the handler is done; `is_always`: also if it failed."""

    module: Module
    node: ast.expr
    is_always: bool = False


def _commits_after_yield(
    project: Project, module: Module, function: Function, depth: int = 0
) -> Iterator[_Commit]:
    """The commits of a generator behind its yield, its own and those of what it opens."""
    for made in yields_in(function)[-1:]:
        for call in calls_in(function):
            if method(call) == "commit" and call.lineno > made.lineno:
                yield from _own(module, made, call)
        for opened in _opened_around(module, made, function):
            yield from _of_block(project, module, opened, depth)


def _opened_around(module: Module, made: ast.Yield, function: Function) -> Iterator[ast.expr]:
    """The contexts that are left behind the yield, and the generators that it passes on."""
    for above in module.above(made):
        if above is function:
            return
        if isinstance(above, ast.With | ast.AsyncWith):
            yield from (item.context_expr for item in above.items)
        elif isinstance(above, ast.For | ast.AsyncFor):
            yield above.iter


def _own(module: Module, made: ast.Yield, call: ast.Call) -> Iterator[_Commit]:
    """`await session.commit()` behind `yield session`, unless it only runs after an error."""
    around = [made, *module.above(made)]
    below: ast.AST = call
    for above in module.above(call):
        if isinstance(above, ast.ExceptHandler):
            return
        if isinstance(above, ast.Try) and above in around and below in above.finalbody:
            yield _Commit(module, call, is_always=True)
            return
        below = above
    yield _Commit(module, call)


def _of_block(project: Project, module: Module, opened: ast.expr, depth: int) -> Iterator[_Commit]:
    """`factory.begin()`, `session.begin()`, or a context manager of the project that commits."""
    if not isinstance(opened, ast.Call):
        return
    if method(opened) == "begin" and _is_of_a_session(project, module, opened):
        yield _Commit(module, opened)
    elif depth < _DEEPEST:
        yield from _of_called(project, module, opened, depth)


def _is_of_a_session(project: Project, module: Module, opened: ast.Call) -> bool:
    assert isinstance(opened.func, ast.Attribute)
    owner = opened.func.value
    if kind_of_factory(project, module, owner) is not None:
        return True
    function = module.function_of(opened)
    known = {} if function is None else sessions_in(project, module, function)
    return isinstance(owner, ast.Name) and owner.id in known


def _of_called(project: Project, module: Module, opened: ast.expr, depth: int) -> Iterator[_Commit]:
    if not isinstance(opened, ast.Call):
        return
    called = project.called(module, opened)
    if called is not None and isinstance(called.node, Function):
        yield from _commits_after_yield(project, called.module, called.node, depth + 1)
        return
    made = project.definition(module, opened.func)
    if made is not None and isinstance(made.node, ast.ClassDef):
        for name in ("__aexit__", "__exit__"):
            leaving = project.member(made, name)
            if leaving is not None and isinstance(leaving.node, Function):
                yield from (
                    _Commit(leaving.module, call)
                    for call in calls_in(leaving.node)
                    if method(call) == "commit"
                )


def _late(project: Project) -> Iterator[tuple[Dependency, _Commit]]:
    """The dependencies that commit behind their yield, and where they have the scope "request"."""
    for each in dependencies(project):
        if not each.module.is_test and yields_in(each.function):
            for commit in list(_commits_after_yield(project, each.module, each.function))[:1]:
                yield each, commit


@rule("PL001", Severity.LOSES_DATA, "the commit comes after the response")
def commit_after_response(project: Project) -> Iterator[Fault]:
    for each, commit in _late(project):
        late = [use for use in each.uses if use.scope != "function"]
        if late:
            known = versions(project, commit.module.path)
            message = _message(each.function, late, known)
            yield fault(commit.module, commit.node, message, _severity(project, known))


def _message(function: Function, late: list[Use], known: Versions) -> str:
    first = late[0]
    where = f"{first.module.path}:{first.call.lineno}"
    others = f" and {len(late) - 1} more" if len(late) > 1 else ""
    asked = f"Depends({function.name}) in {where}{others} has no scope='function'"
    if known.answers_after_exit:
        return f"`{function.name}` commits after the response was sent{known.about}: {asked}"
    return (
        f"`{function.name}` commits before the response with this FastAPI{known.about}, and after"
        f" it from 0.118 on: {asked}"
    )


def _severity(project: Project, known: Versions) -> Severity | None:
    if not known.answers_after_exit or project.remember(_commits_by_hand):
        return Severity.HAZARD
    return None


def _commits_by_hand(project: Project) -> bool:
    """Whether most functions that write with a session they were given commit it themselves."""
    by_hand = left = 0
    for module in project.served:
        for function in module.functions():
            given = {
                name
                for name, each in sessions_in(project, module, function).items()
                if not each.is_own
            }
            called = {method(call) for call in calls_in(function) if root_name(call.func) in given}
            if called & _WRITES:
                by_hand += "commit" in called
                left += "commit" not in called
    return by_hand > left


@rule("PL002", Severity.LOSES_DATA, "it commits although the handler failed")
def commit_despite_error(project: Project) -> Iterator[Fault]:
    for each, _ in _late(project):
        for commit in _commits_after_yield(project, each.module, each.function):
            if commit.is_always:
                yield fault(
                    commit.module,
                    commit.node,
                    f"`{each.function.name}` commits in `finally`: what a failed handler has"
                    " written is stored, half of it as well as all",
                )
