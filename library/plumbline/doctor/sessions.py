"""Which values are sessions of SQLAlchemy, sync or async, and where they come from."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from plumbline.doctor.project import Definition, Project, is_one_of
from plumbline.doctor.source import Module
from plumbline.doctor.tree import Function, argument, keyword, scope_of

Kind = Literal["sync", "async"]
SQLALCHEMY = "sqlalchemy sqlmodel"
CLASSES: dict[str, Kind] = {
    "AsyncSession": "async",
    "async_scoped_session": "async",
    "Session": "sync",
    "scoped_session": "sync",
}
_FACTORIES = ("async_sessionmaker", "sessionmaker", "scoped_session", "async_scoped_session")
_HOLDING_ONE = ("Annotated", "Optional", "Generator", "AsyncGenerator", "Iterator", "AsyncIterator")


@dataclass(frozen=True)
class Session:
    """A session in a function. `depends` is the Depends that gives it; `is_own`: made here."""

    name: str
    kind: Kind
    node: ast.AST
    depends: ast.Call | None = None
    is_own: bool = False


def kind_of_type(project: Project, module: Module, node: ast.AST | None) -> Kind | None:
    """What an annotation says: `AsyncSession`, `Annotated[AsyncSession, …]`, an alias of these."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = _parsed(node.value)
        return CLASSES.get(node.id) if isinstance(node, ast.Name) else None
    if isinstance(node, ast.BinOp):
        return kind_of_type(project, module, node.left) or kind_of_type(project, module, node.right)
    if isinstance(node, ast.Subscript):
        dotted = project.resolve(module, node.value)
        if is_one_of(dotted, "typing typing_extensions collections", *_HOLDING_ONE):
            inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
            return kind_of_type(project, module, inner)
        node = node.value
    return _kind_of_class(project, module, node)


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _kind_of_class(project: Project, module: Module, node: ast.AST | None) -> Kind | None:
    """Of SQLAlchemy's classes, a subclass of the project, or an alias of a type."""
    dotted = project.resolve(module, node)
    if dotted is None or is_one_of(dotted, SQLALCHEMY, *CLASSES):
        return CLASSES.get((dotted or "").rpartition(".")[2])
    found = project.find(dotted)
    if found is None:
        return None
    with project.once(found.node) as is_first:
        return _kind_of_definition(project, found) if is_first else None


def _kind_of_definition(project: Project, found: Definition) -> Kind | None:
    if isinstance(found.node, ast.ClassDef):
        for base in found.node.bases:
            if kind := _kind_of_class(project, found.module, base):
                return kind
    if isinstance(found.node, ast.Subscript | ast.Name | ast.Attribute):
        return kind_of_type(project, found.module, found.node)
    return None


def kind_of_factory(project: Project, module: Module, node: ast.AST | None) -> Kind | None:
    """Of a call that makes a sessionmaker, or a name that stands for one."""
    if isinstance(node, ast.Call):
        return _kind_of_factory_call(project, module, node)
    found = project.definition(module, node)
    if found is not None and isinstance(found.node, ast.expr):
        with project.once(found.node) as is_first:
            return kind_of_factory(project, found.module, found.node) if is_first else None
    return _kind_of_held(project, node)


def _kind_of_factory_call(project: Project, module: Module, node: ast.Call) -> Kind | None:
    dotted = project.resolve(module, node.func)
    if is_one_of(dotted, "plumbline", "session_factory", "read_session_factory"):
        return "async"
    if not is_one_of(dotted, SQLALCHEMY, *_FACTORIES):
        return _kind_of_returned(project, module, node)
    if str(dotted).rpartition(".")[2].startswith("async_"):
        return "async"
    wrapped = argument(node, 0, "session_factory") if "scoped" in str(dotted) else None
    if wrapped is not None:
        return kind_of_factory(project, module, wrapped) or "sync"
    return kind_of_type(project, module, keyword(node, "class_")) or "sync"


def _kind_of_returned(project: Project, module: Module, call: ast.Call) -> Kind | None:
    """Of the factory that a function of the project returns, as its annotation or its end says."""
    called = project.called(module, call)
    if called is None or not isinstance(called.node, Function):
        return None
    said = called.node.returns
    said = said.value if isinstance(said, ast.Subscript) else said
    dotted = project.resolve(called.module, said)
    if is_one_of(dotted, SQLALCHEMY, *_FACTORIES):
        return "async" if "async_" in str(dotted) else "sync"
    last = called.node.body[-1]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Call):
        made = project.resolve(called.module, last.value.func)
        if is_one_of(made, SQLALCHEMY, *_FACTORIES):
            return kind_of_factory(project, called.module, last.value)
    return None


def _kind_of_held(project: Project, node: ast.AST | None) -> Kind | None:
    """Of `app.state.session_factory`, if a factory is what the project assigns to that name."""
    if not isinstance(node, ast.Attribute):
        return None
    return project.remember(_held_factories).get(node.attr)


def _held_factories(project: Project) -> dict[str, Kind]:
    held: dict[str, Kind] = {}
    for module in project.served:
        for node in module.every(ast.Assign):
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and isinstance(node.value, ast.Call):
                kind = kind_of_factory(project, module, node.value)
                if kind is not None:
                    held[target.attr] = kind
    return held


def kind_of_made(project: Project, module: Module, node: ast.AST | None) -> Kind | None:
    """Of what a call makes: `Session(engine)`, `factory()`, `factory.begin()`, `get_db()`."""
    if isinstance(node, ast.Await):
        node = node.value
    if not isinstance(node, ast.Call):
        return None
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr == "begin":
        return kind_of_factory(project, module, func.value)
    dotted = project.resolve(module, func)
    if is_one_of(dotted, SQLALCHEMY, *CLASSES):
        return CLASSES[str(dotted).rpartition(".")[2]]
    kind = kind_of_factory(project, module, func)
    if kind is not None:
        return kind
    called = project.called(module, node)
    if called is not None and isinstance(called.node, Function):
        return kind_of_type(project, called.module, called.node.returns)
    return None


def sessions_in(project: Project, module: Module, function: Function) -> dict[str, Session]:
    """The sessions of a function, by name: its parameters', and those that it opens."""
    memory = project.remember(_sessions)
    if function not in memory:
        found = [*_given(project, module, function), *_made(project, module, function)]
        memory[function] = {each.name: each for each in found}
    return memory[function]


def _sessions(_: Project) -> dict[Function, dict[str, Session]]:
    return {}


def parameters(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Each parameter, with its default."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    yield from zip(plain, [*missing, *given.defaults], strict=True)
    yield from zip(given.kwonlyargs, given.kw_defaults, strict=True)


def _given(project: Project, module: Module, function: Function) -> Iterator[Session]:
    for arg, default in parameters(function):
        depends = depends_in(project, module, arg.annotation, default)
        kind = kind_of_type(project, module, arg.annotation)
        if kind is None and depends is not None and depends.args:
            target = project.definition(module, depends.args[0])
            if target is not None and isinstance(target.node, Function):
                kind = kind_of_type(project, target.module, target.node.returns)
        if kind is not None:
            yield Session(arg.arg, kind, arg, depends)


def depends_in(
    project: Project, module: Module, annotation: ast.AST | None, default: ast.AST | None
) -> ast.Call | None:
    """The Depends of a parameter: its default, or in its Annotated, also by an alias."""
    if is_depends(project, module, default):
        assert isinstance(default, ast.Call)
        return default
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        for each in annotation.slice.elts[1:]:
            if is_depends(project, module, each):
                assert isinstance(each, ast.Call)
                return each
    if isinstance(annotation, ast.Name | ast.Attribute):
        found = project.definition(module, annotation)
        if found is not None and isinstance(found.node, ast.Subscript):
            return depends_in(project, found.module, found.node, None)
    return None


def is_depends(project: Project, module: Module, node: ast.AST | None) -> bool:
    """Whether it is FastAPI's `Depends(…)` or `Security(…)`."""
    return isinstance(node, ast.Call) and is_one_of(
        project.resolve(module, node.func), "fastapi", "Depends", "Security"
    )


def _made(project: Project, module: Module, function: Function) -> Iterator[Session]:
    for node in scope_of(function).binding:
        for target, value in _bound(node):
            if isinstance(target, ast.Name) and value is not None:
                kind = kind_of_made(project, module, value)
                if kind is not None:
                    yield Session(target.id, kind, value, is_own=True)


def _bound(node: ast.AST) -> list[tuple[ast.expr | None, ast.expr | None]]:
    """What a statement binds a value to."""
    if isinstance(node, ast.With | ast.AsyncWith):
        return [(item.optional_vars, item.context_expr) for item in node.items]
    if isinstance(node, ast.Assign):
        return [(node.targets[0], node.value)]
    if isinstance(node, ast.AnnAssign):
        return [(node.target, node.value)]
    if isinstance(node, ast.For | ast.AsyncFor):
        return [(node.target, node.iter)]
    return []
