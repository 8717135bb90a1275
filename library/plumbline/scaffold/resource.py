"""`add resource`: model, service, API, tests, registrations and migration of a new resource."""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from mako.template import Template  # type: ignore[import-untyped] # comes with Alembic

from plumbline.errors import OperatorError
from plumbline.scaffold.fields import Field
from plumbline.scaffold.models import Model, models_of
from plumbline.scaffold.names import (
    MAX_NAME,
    Names,
    check_field,
    check_resource,
    class_name,
    plural_of,
)
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.registrations import register
from plumbline.scaffold.running import add_migration, tidy
from plumbline.scaffold.written import labels_name, write_field

_TEMPLATES = files("plumbline.scaffold") / "templates"
_OF_EACH_LIST = {"sort", "cursor", "limit", "total", "request", "response"}
_RULES = {
    "owner": "anybody reads them, their {} changes them",
    "public": "anybody reads them, everybody who is signed in changes them",
    "admin": "anybody reads them, admins change them",
}


@dataclass(frozen=True)
class Link:
    """A many-to-many: rows of a table of its own have both ids."""

    table: str
    class_name: str
    key: str  # the id of the other one
    ids: str  # what a row, a request and an answer have
    relation: str
    target: Model


@dataclass(frozen=True)
class Resource:
    """What is asked for. `owner` is the field that refers to who may change a row."""

    names: Names
    fields: tuple[Field, ...]
    access: str  # owner, public or admin
    owner: Field | None

    def values(self, package: str, models: dict[str, Model]) -> dict[str, Any]:
        """What the templates are given."""
        written = [
            write_field(
                field, self.names.one, _target(field, self, models), is_owner=field == self.owner
            )
            for field in self.fields
            if field.type != "many"
        ]
        links = [
            link_of(field, self.names, models) for field in self.fields if field.type == "many"
        ]
        given = [each for each in written if each.field != self.owner]
        references = [
            (each.attribute, models[each.field.type])
            for each in given
            if each.field.is_reference and each.field.type != self.names.one
        ]
        role = self.owner.name.replace("_", " ") if self.owner else ""
        return {
            "package": package,
            "names": self.names,
            "access": self.access,
            "owner": self.owner.attribute if self.owner else None,
            "rule": _RULES[self.access].format(role),
            "columns": written,
            "given": given,
            "changed": next((each for each in given if each.values), None),
            "links": links,
            "references": [*references, *((link.ids, link.target) for link in links)],
            "enums": _enums(self),
            "indexes": [f.attribute for f in self.fields if _needs_index(f)],
            "sorts": [f.attribute for f in self.fields if f.can_be_sorted_by],
            "filters": [f.attribute for f in self.fields if f.can_be_filtered_by],
            "uniques": [e.attribute for e in given if e.field.is_unique],
        }


def plan_resource(project: Project, resource: Resource) -> Plan:
    """All files of it, as they will be; OperatorError, in one line, for what cannot be."""
    plan = Plan(project.root)
    add_files(plan, project, resource)
    add_migration(plan, project, f"add {resource.names.words[1]}")
    return plan


def add_files(plan: Plan, project: Project, resource: Resource) -> None:
    """As `plan_resource`, without the migration."""
    project.require_layout()
    models, names = models_of(plan, project), resource.names
    check(resource, project, models)
    values = resource.values(project.package, models)
    planned = {
        project.path(f"db/models/{names.one}.py"): "model",
        project.path(f"services/{names.many}.py"): "service",
        project.path(f"api/{names.many}.py"): "api",
    }
    if (project.root / "tests/api").is_dir():
        planned[project.root / f"tests/api/test_{names.many}.py"] = "test"
    for path, template in planned.items():
        plan.create(path, render(template, values))
    changed = register(plan, project, names, resource.owner.attribute if resource.owner else None)
    tidy(plan, project, [*planned, *changed])


def render(template: str, values: dict[str, Any]) -> str:
    """The text of a template, not yet formatted."""
    source = (_TEMPLATES / f"{template}.mako").read_text()
    return str(Template(source, strict_undefined=True).render(**values))  # noqa: S702 - no HTML


def link_of(field: Field, names: Names, models: dict[str, Model]) -> Link:
    """The table of a many-to-many, and its names."""
    target = models[field.arguments[0]]
    one = target.name if field.name == plural_of(target.name) else field.name
    return Link(
        table=f"{names.one}_{field.name}",
        class_name=class_name(f"{names.one}_{one}"),
        key=f"{target.name}_id",
        ids=f"{one}_ids",
        relation=f"_{field.name}",
        target=target,
    )


def check(resource: Resource, project: Project, models: dict[str, Model]) -> None:
    """OperatorError for what cannot be, before anything is written."""
    names = resource.names
    check_resource(names)
    _check_free(names, models, project)
    if not any(field != resource.owner for field in resource.fields):
        raise OperatorError(f"{names.with_article} needs a field: title:str(200), say")
    attributes: list[str] = []
    for field in resource.fields:
        check_field(field.name, field.attribute, names.many)
        check_target(field, resource, models)
        if field.can_be_filtered_by and field.attribute in _OF_EACH_LIST:
            raise OperatorError(
                f"a list has a parameter `{field.attribute}` itself: choose another"
            )
        attributes.append(field.attribute)
        if field.type == "many":
            link = link_of(field, names, models)
            attributes.append(link.ids)
            _check_link(link, names, models)
    if twice := [name for name in attributes if attributes.count(name) > 1]:
        raise OperatorError(f"`{twice[0]}` stands there twice")
    if resource.owner is not None and resource.owner.type != "user":
        raise OperatorError(f"--owner {resource.owner.name}: it has to refer to a user")
    if resource.owner is not None and (resource.owner.is_optional or resource.owner.is_unique):
        raise OperatorError(
            f"--owner {resource.owner.name}: each row has one, without ? and :unique"
        )


def _check_free(names: Names, models: dict[str, Model], project: Project) -> None:
    tables = {model.table: model for model in models.values()}
    classes = {model.class_name: model for model in models.values()}
    there = models.get(names.one) or classes.get(names.class_name) or tables.get(names.many)
    if there is not None:
        where = there.file.relative_to(project.root)
        raise OperatorError(f"{where} has {there.class_name} and its table {there.table} already")
    for file in sorted(project.path("api").glob("*.py")):
        text = file.read_text()
        if f'resource("{names.many}"' in text:
            raise OperatorError(f"{file.relative_to(project.root)} serves /{names.many} already")
        routes = re.search(
            rf"def ((?:create|get|update|delete)_{names.one}|list_{names.many})\b", text
        )
        if routes is not None:
            raise OperatorError(f"{file.relative_to(project.root)} has a route {routes[1]} already")


def check_target(field: Field, resource: Resource, models: dict[str, Model]) -> None:
    """OperatorError for a reference to what is not there, or cannot be referred to."""
    name = field.refers_to
    if name is None:
        return
    if name == resource.names.one:
        if field.type == "many":
            raise OperatorError(
                f"`{field.name}`: many({name}) of a {name} itself: make it a resource"
            )
        if not field.is_optional:
            raise OperatorError(
                f"`{field.name}`: the first {name} could refer to none: write {name}?"
            )
        return
    if name not in models:
        known = ", ".join(sorted(model for model in models if models[model].key == "Mapped[int]"))
        raise OperatorError(f"`{field.name}`: there is no type or model {name}; models are {known}")
    if models[name].key != "Mapped[int]":
        raise OperatorError(f"`{field.name}`: {models[name].class_name} has no id that is a number")


def _check_link(link: Link, names: Names, models: dict[str, Model]) -> None:
    longest = f"fk_{link.table}_{names.one}_id_{names.many}"
    if len(longest) > MAX_NAME or len(f"fk_{link.table}_{link.key}_{link.target.table}") > MAX_NAME:
        raise OperatorError(f"`{link.table}` is too long for the name of its foreign keys")
    if any(
        link.table == model.table or link.class_name == model.class_name
        for model in models.values()
    ):
        raise OperatorError(f"there is a table {link.table} already: choose another name")


def _target(field: Field, resource: Resource, models: dict[str, Model]) -> Model | None:
    if not field.is_reference:
        return None
    if field.type == resource.names.one:
        names = resource.names
        return Model(names.one, names.class_name, names.many, Path(), frozenset(), "Mapped[int]")
    return models[field.type]


def _enums(resource: Resource) -> list[tuple[str, str]]:
    return [
        (labels_name(field, resource.names.one), ", ".join(map(repr, field.arguments)))
        for field in resource.fields
        if field.type == "enum"
    ]


def _needs_index(field: Field) -> bool:
    """Beside the one that a unique column has."""
    return (field.is_reference and not field.is_unique) or field.is_indexed
