"""Where a service names a resource besides its own files, and how it is added and taken out."""

import ast
from collections.abc import Callable
from pathlib import Path

from plumbline.errors import OperatorError
from plumbline.scaffold.edits import Edit, Source, apply, names_in
from plumbline.scaffold.names import Names
from plumbline.scaffold.project import Plan, Project

FindEdits = Callable[[Source, Names, Project], list[Edit]]


def register(plan: Plan, project: Project, names: Names, owner: str | None) -> list[Path]:
    """Name it among the models, among the routes, and in the world of the tests.

    Gives the files that have changed.
    """
    models, main = project.path("db/models/__init__.py"), project.path("main.py")
    _change(plan, models, _model_added, names, project)
    _change(plan, main, _routes_added, names, project)
    service = project.root / "tests/service.py"
    if not service.exists():
        return [models, main]
    plan.write(service, apply(*_in_world(plan.text(service), names, project, owner)))
    return [models, main, service]


def unregister(plan: Plan, project: Project, names: Names) -> None:
    """The opposite; what is not there is no error."""
    _change(plan, project.path("db/models/__init__.py"), _model_removed, names, project)
    _change(plan, project.path("main.py"), _routes_removed, names, project)
    service = project.root / "tests/service.py"
    if service.exists():
        _change(plan, service, _not_in_world, names, project)


def _change(plan: Plan, path: Path, edit: FindEdits, names: Names, project: Project) -> None:
    source = Source(plan.text(path))
    plan.write(path, apply(source.text, edit(source, names, project)))


def _by_hand(file: str, what: str) -> OperatorError:
    return OperatorError(f"{file} is not as it was written: {what}; nothing was written")


def _model_added(source: Source, names: Names, project: Project) -> list[Edit]:
    module = f"{project.package}.db.models.{names.one}"
    listed = _list_named(source, "__all__")
    imports = [node for node in source.tree.body if isinstance(node, ast.ImportFrom)]
    if listed is None or not listed.elts or not imports:
        advice = f"it needs `from … import …` lines and __all__ to add {names.class_name} to"
        raise _by_hand("db/models/__init__.py", advice)
    statement = f"from {module} import {names.class_name}"
    return [
        source.line_before(imports[0], statement),
        source.append(listed.elts, f'"{names.class_name}"'),
    ]


def _model_removed(source: Source, names: Names, project: Project) -> list[Edit]:
    module = f"{project.package}.db.models.{names.one}"
    edits = [source.without_lines(node) for node in source.imports_from(module)]
    listed = _list_named(source, "__all__")
    items = listed.elts if listed else []
    gone = [
        each for each in items if isinstance(each, ast.Constant) and each.value == names.class_name
    ]
    return edits + [edit for each in gone for edit in source.without(items, each, folds=False)]


def _list_named(source: Source, name: str) -> ast.List | ast.Tuple | None:
    for node in source.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id)], value=ast.List() | ast.Tuple() as value) if (
                id == name
            ):
                return value
    return None


def _routes_added(source: Source, names: Names, project: Project) -> list[Edit]:
    imports, modules = _routes(source, project)
    if imports is None or modules is None:
        advice = (
            f"import {names.many} from {project.package}.api, and add "
            f"`app.router.routes.extend({names.many}.router.routes)` by hand"
        )
        raise _by_hand("main.py", advice)
    return [
        source.append(imports.names, names.many),
        source.append(modules.elts, names.many),
    ]


def _routes_removed(source: Source, names: Names, project: Project) -> list[Edit]:
    imports, modules = _routes(source, project)
    edits = []
    if imports is not None and (alias := names_in(imports).get(names.many)):
        edits += source.without(imports.names, alias)
    listed = modules.elts if modules is not None else []
    gone = [each for each in listed if isinstance(each, ast.Name) and each.id == names.many]
    return edits + [edit for each in gone for edit in source.without(listed, each)]


def _routes(
    source: Source, project: Project
) -> tuple[ast.ImportFrom | None, ast.Tuple | ast.List | None]:
    """The import of the modules, and the list of them that a loop adds to the application."""
    imports = next(source.imports_from(f"{project.package}.api"), None)
    known = names_in(imports).keys() if imports else set()
    for node in ast.walk(source.tree):
        match node:
            case ast.For(iter=ast.Tuple() | ast.List() as modules) if modules.elts and all(
                isinstance(each, ast.Name) and each.id in known for each in modules.elts
            ):
                return imports, modules
    return imports, None


def _in_world(
    text: str, names: Names, project: Project, owner: str | None
) -> tuple[str, list[Edit]]:
    """A row of it, whose id stands for what belongs to the owner."""
    source = Source(text)
    models = next(source.imports_from(f"{project.package}.db.models"), None)
    people = next(source.imports_from("tests.people"), None)
    ids, returned = _world(source)
    if models is None or people is None or ids is None or returned is None:
        advice = f'give "{names.one}_id" in path_params of make_world() by hand'
        raise _by_hand("tests/service.py", advice)
    belongs = f', {owner}=people["owner"].id' if owner else ""
    row = f"{names.one} = await make_row({names.class_name}{belongs})"
    edits = [
        source.append(models.names, names.class_name),
        source.line_before(returned, row),
        source.append(list(ids.values), f'"{names.one}_id": {names.one}.id'),
    ]
    if "make_row" not in names_in(people):
        edits.append(source.append(people.names, "make_row"))
    return text, edits


def _not_in_world(source: Source, names: Names, project: Project) -> list[Edit]:
    imports = source.imports_from(f"{project.package}.db.models")
    edits = [
        edit
        for node in imports
        if (alias := names_in(node).get(names.class_name))
        for edit in source.without(node.names, alias)
    ]
    ids, _ = _world(source)
    if ids is not None:
        edits += _entries_removed(source, ids, f"{names.one}_id")
    made = [each for each in ast.walk(source.tree) if isinstance(each, ast.Assign)]
    return edits + [source.without_lines(each) for each in made if _makes(each, names.one)]


def _makes(line: ast.Assign, name: str) -> bool:
    """As `book = await make_row(Book)`."""
    target = line.targets[0]
    is_named = isinstance(target, ast.Name) and target.id == name
    return is_named and isinstance(line.value, ast.Await)


def _entries_removed(source: Source, ids: ast.Dict, name: str) -> list[Edit]:
    return [
        edit
        for key, value in zip(ids.keys, ids.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == name
        for edit in _entry_removed(source, ids, key, value)
    ]


def _entry_removed(source: Source, ids: ast.Dict, key: ast.expr, value: ast.expr) -> list[Edit]:
    """With the comma behind the last, as `Source.without`."""
    at, last = ids.values.index(value), source.end(ids.values[-1])
    end = source.behind_comma(last)
    if at + 1 < len(ids.values):
        following = ids.keys[at + 1]
        assert following is not None
        return [Edit(source.start(key), source.start(following), ""), Edit(last, end, "")]
    return [Edit(source.end(ids.values[at - 1]) if at else source.start(key), end, "")]


def _world(source: Source) -> tuple[ast.Dict | None, ast.stmt | None]:
    """The ids that make_world() gives, and the statement that gives them."""
    functions = [node for node in source.tree.body if isinstance(node, ast.AsyncFunctionDef)]
    made = [line for each in functions if each.name == "make_world" for line in each.body]
    for statement in made:
        call = statement.value if isinstance(statement, ast.Return) else None
        for keyword in call.keywords if isinstance(call, ast.Call) else []:
            ids = keyword.value if keyword.arg == "path_params" else None
            if isinstance(ids, ast.Dict) and ids.values and None not in ids.keys:
                return ids, statement
    return None, None
