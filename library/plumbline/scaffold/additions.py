"""`add field`: more fields of a resource that is there, in its model, its API and its table."""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.errors import OperatorError
from plumbline.scaffold.edits import Edit, Source, apply
from plumbline.scaffold.fields import Field
from plumbline.scaffold.models import Model, models_of
from plumbline.scaffold.names import Names, check_field
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.resource import Resource, check_target
from plumbline.scaffold.running import add_migration, tidy
from plumbline.scaffold.written import Written, labels_name, write_field

# What a field may need, by module.
_FOR_THE_MODEL = {
    "datetime": ("date", "datetime"),
    "decimal": ("Decimal",),
    "typing": ("Any", "Literal", "get_args"),
    "uuid": ("UUID",),
    "sqlalchemy": (
        *("ARRAY", "BigInteger", "Boolean", "Date", "DateTime", "Double", "Enum", "ForeignKey"),
        *("Index", "Numeric", "String", "Text", "Uuid"),
    ),
}
_FOR_THE_API = {
    "datetime": ("date", "datetime"),
    "decimal": ("Decimal",),
    "typing": ("Annotated", "Any"),
    "uuid": ("UUID",),
    "pydantic": ("Field",),
    "plumbline.http.resources": ("BigInt", "Id", "JsonObject", "Line"),
    "plumbline.text": ("OneLine", "PlainText"),
}


def plan_fields(project: Project, names: Names, fields: tuple[Field, ...]) -> Plan:
    """All changes; OperatorError, in one line, for what cannot be."""
    plan = Plan(project.root)
    change_files(plan, project, names, fields)
    added = ", ".join(field.attribute for field in fields)
    add_migration(plan, project, f"add {added} to {names.words[1]}")
    return plan


def change_files(plan: Plan, project: Project, names: Names, fields: tuple[Field, ...]) -> None:
    """As `plan_fields`, without the migration. Rows are there that have no value for it."""
    project.require_layout()
    models = models_of(plan, project)
    model = models.get(names.one)
    if model is None:
        raise OperatorError(f"there is no model {names.class_name} in {project.package}/db/models")
    written = [_checked(field, names, models, model) for field in fields]
    _change_model(plan, model, names, written)
    _change_api(plan, project, names, written)
    tidy(plan, project, list(plan.after))


def _checked(field: Field, names: Names, models: dict[str, Model], model: Model) -> Written:
    check_field(field.name, field.attribute, names.many)
    check_target(field, Resource(names, (field,), "public", None), models)
    if field.attribute in model.attributes:
        raise OperatorError(f"{names.with_article} has {field.attribute} already")
    if field.type == "many":
        raise OperatorError(f"`{field.name}`: write a many-to-many by hand, or make it a resource")
    if not field.is_optional and field.default is None:
        raise OperatorError(
            f"`{field.name}`: rows that are there have no value: give them a :default(VALUE), or "
            f"write {_as_optional(field)} and require it in a later release, when all have one"
        )
    target = models[field.type] if field.is_reference else None
    return write_field(field, names.one, target, is_owner=False)


def _as_optional(field: Field) -> str:
    arguments = f"({','.join(field.arguments)})" if field.arguments else ""
    return f"{field.name}:{field.type}{arguments}{'[]' if field.is_array else ''}?"


def _change_model(plan: Plan, model: Model, names: Names, written: list[Written]) -> None:
    """Behind the last column; an enum's values before the class."""
    source = Source(plan.text(model.file))
    class_ = _class(source, model.class_name, model.file.name)
    columns = [each for each in class_.body if isinstance(each, ast.AnnAssign) and each.value]
    columns = [each for each in columns if "mapped_column" in ast.unparse(each)] or columns
    if not columns:
        raise OperatorError(f"{model.file.name}: {model.class_name} has no column to put it behind")
    lines = "".join(f"\n    {each.column}" for each in written)
    edits = [Edit(source.end(columns[-1]), source.end(columns[-1]), lines)]
    for each in written:
        if each.field.type == "enum":
            labels = ", ".join(map(repr, each.field.arguments))
            text = f"{labels_name(each.field, names.one)} = Literal[{labels}]\n"
            edits.append(source.line_before(class_, text))
    edits += _indexes(source, class_, written)
    edits += _imports(source, _FOR_THE_MODEL, edits)
    plan.write(model.file, apply(source.text, edits))


def _indexes(source: Source, class_: ast.ClassDef, written: list[Written]) -> list[Edit]:
    """In `__table_args__`, which is made where there is none."""
    wanted = [
        f'Index(None, "{each.attribute}", "id")'
        for each in written
        if each.field.is_indexed or (each.field.is_reference and not each.field.is_unique)
    ]
    if not wanted:
        return []
    name = class_.body[0]
    for node in class_.body:
        match node:
            case ast.Assign(targets=[ast.Name("__tablename__")]):
                name = node
            case ast.Assign(targets=[ast.Name("__table_args__")], value=ast.Tuple(elts=[*_, last])):
                return [Edit(source.end(last), source.end(last), "".join(f", {w}" for w in wanted))]
    text = f"\n    __table_args__ = ({', '.join(wanted)},)"
    return [Edit(source.end(name), source.end(name), text)]


def _change_api(plan: Plan, project: Project, names: Names, written: list[Written]) -> None:
    path = project.path(f"api/{names.many}.py")
    if not path.exists() and path not in plan.after:
        raise OperatorError(f"{plan.name(path)} is missing: write the field by hand")
    source = Source(plan.text(path))
    created = _class(source, f"{names.class_name}Create", path.name)
    read = _class(source, f"{names.class_name}Read", path.name)
    wanted = "".join(f"\n    {each.attribute}: {each.in_request}" for each in written)
    given = "".join(f"\n    {each.attribute}: {each.in_answer}" for each in written)
    edits = [_behind(source, created, wanted), _behind(source, read, given, before="version")]
    edits += _listing(source, names, written)
    enums = [labels_name(e.field, names.one) for e in written if e.field.type == "enum"]
    of_model = {f"{project.package}.db.models.{names.one}": enums}
    edits += _imports(source, {**_FOR_THE_API, **of_model}, edits)
    plan.write(path, apply(source.text, edits))


def _listing(source: Source, names: Names, written: list[Written]) -> list[Edit]:
    """More to sort and to filter by, where the list is a Listing."""
    for node in source.tree.body:
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name("Listing")) as call):
                sorts = [each for each in written if each.field.can_be_sorted_by]
                filters = [each for each in written if each.field.can_be_filtered_by]
                return [
                    *_arguments(source, call, names, sorts),
                    *_filters(source, call, names, filters),
                ]
    return []


def _arguments(source: Source, call: ast.Call, names: Names, written: list[Written]) -> list[Edit]:
    return [source.append(call.args, f"{names.class_name}.{e.attribute}") for e in written]


def _filters(source: Source, call: ast.Call, names: Names, written: list[Written]) -> list[Edit]:
    items = ", ".join(f"{names.class_name}.{each.attribute}" for each in written)
    for keyword in call.keywords:
        if keyword.arg == "filters" and isinstance(keyword.value, ast.List) and items:
            return [source.append(keyword.value.elts, items)]
    return [source.append([call.keywords[-1].value], f"filters=[{items}]")] if items else []


def _behind(source: Source, class_: ast.ClassDef, text: str, before: str | None = None) -> Edit:
    """Behind the last field, or before the one that is called so."""
    fields = [each for each in class_.body if isinstance(each, ast.AnnAssign)]
    names = [ast.unparse(each.target) for each in fields]
    at = names.index(before) - 1 if before in names[1:] else -1
    end = source.end(fields[at]) if fields else source.end(class_.body[-1])
    return Edit(end, end, text)


def _class(source: Source, name: str, file: str) -> ast.ClassDef:
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise OperatorError(f"{file} has no class {name}: write the field by hand")


def _imports(source: Source, modules: Mapping[str, Sequence[str]], edits: list[Edit]) -> list[Edit]:
    """What is added and not imported yet, before the first import: ruff sorts them."""
    imports: list[Any] = [
        node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    there = {alias.asname or alias.name for node in imports for alias in node.names}
    added = {word for edit in edits for word in re.findall(r"\w+", edit.text)} - there
    lines = [
        f"from {module} import {', '.join(wanted)}\n"
        for module, names in modules.items()
        if (wanted := [name for name in names if name in added])
    ]
    start = source.start(imports[0]) if imports else 0
    return [Edit(start, start, "".join(lines))]
