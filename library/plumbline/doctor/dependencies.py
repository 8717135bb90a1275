"""Routes, dependencies, and where each dependency is asked for."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.doctor.project import Definition, Project, is_one_of
from plumbline.doctor.sessions import is_depends
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, calls_in, constant, keyword, method, walk

_METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket"}


@dataclass(frozen=True)
class Use:
    """A `Depends(…)`, and the scope that it names."""

    module: Module
    call: ast.Call
    scope: str | None


@dataclass(frozen=True)
class Dependency:
    """A function of the project that is one, and where it is asked for."""

    module: Module
    function: Function
    uses: list[Use]


def dependencies(project: Project) -> list[Dependency]:
    """All of the project, outside of tests."""
    return list(project.remember(_dependencies).values())


def _dependencies(project: Project) -> dict[Function, Dependency]:
    found: dict[Function, Dependency] = {}
    for module in project.modules:
        if b"fastapi" not in module.source:
            continue
        for call in module.every(ast.Call):
            if not is_depends(project, module, call):
                continue
            given = call.args[0] if call.args else keyword(call, "dependency")
            target = _callable(project, module, given)
            if target is not None and isinstance(target.node, Function):
                scope = constant(keyword(call, "scope"))
                asked = Use(module, call, str(scope) if scope else None)
                known = Dependency(target.module, target.node, [])
                found.setdefault(target.node, known).uses.append(asked)
    return found


def _callable(project: Project, module: Module, node: ast.AST | None) -> Definition | None:
    """What FastAPI calls: a function, `__call__` of an instance, or what a function returns."""
    if isinstance(node, ast.Call):
        made = project.definition(module, node.func)
        if made is not None and isinstance(made.node, ast.ClassDef):
            return project.member(made, "__call__")
        return None
    found = project.definition(module, node)
    if found is not None and isinstance(found.node, ast.Call):
        with project.once(found.node) as is_first:
            return _callable(project, found.module, found.node) if is_first else None
    return found


def is_route(project: Project, module: Module, function: Function) -> bool:
    """Whether a decorator makes it one: `@router.get("/posts")`, whatever `router` is called."""
    return any(_makes_route(project, module, each) for each in function.decorator_list)


def _makes_route(project: Project, module: Module, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or method(node) not in _METHODS:
        return False
    assert isinstance(node.func, ast.Attribute)
    path = node.args[0] if node.args else keyword(node, "path")
    if not isinstance(path, ast.Constant | ast.JoinedStr | ast.Name | ast.Attribute):
        return False
    found = project.definition(module, node.func.value)
    if found is None or not isinstance(found.node, ast.Call):
        return b"fastapi" in module.source
    made = project.resolve(found.module, found.node.func)
    return is_one_of(made, "fastapi", "FastAPI", "APIRouter") or b"fastapi" in module.source


def routes(project: Project) -> list[Definition]:
    """All routes of the project, outside of tests and scripts."""
    return project.remember(_routes)


def _routes(project: Project) -> list[Definition]:
    return [
        Definition(module, function)
        for module in project.served
        if b"fastapi" in module.source
        for function in module.functions()
        if function.decorator_list and is_route(project, module, function)
    ]


def yields_in(function: Function) -> list[ast.Yield]:
    """The yields of a function itself, not those of functions in it."""
    return [node for node in walk(function) if isinstance(node, ast.Yield)]


def run_by_requests(project: Project) -> Iterator[tuple[Module, Function, bool]]:
    """Routes and dependencies, and the functions of the project that they call themselves.

    The last is whether it is a route or a dependency.
    """
    yield from project.remember(_run_by_requests)


def _run_by_requests(project: Project) -> list[tuple[Module, Function, bool]]:
    first = [
        (each.module, each.node) for each in routes(project) if isinstance(each.node, Function)
    ]
    first += [
        (each.module, each.function)
        for each in dependencies(project)
        if not each.module.is_aside and not each.module.is_test
    ]
    seen = {function for _, function in first}
    found = [(module, function, True) for module, function in first]
    for module, function in first:
        for call in calls_in(function):
            called = project.called(module, call)
            if called is None or not isinstance(called.node, Function) or called.node in seen:
                continue
            seen.add(called.node)
            found.append((called.module, called.node, False))
    return found
