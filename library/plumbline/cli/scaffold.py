"""`add resource`, `add field`, `remove resource`: what a new resource takes is written."""

from typing import Annotated

import typer

from plumbline.cli.service import Service
from plumbline.errors import OperatorError
from plumbline.scaffold.additions import plan_fields
from plumbline.scaffold.fields import Field, parse_fields
from plumbline.scaffold.names import Names, plural_of
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.removal import names_of, plan_removal
from plumbline.scaffold.resource import Resource, plan_resource

Name = Annotated[str, typer.Argument(help="What one of them is called, as in `book`.")]
Fields = Annotated[list[str], typer.Argument(help="NAME:TYPE, as in `title:str(200)`, in quotes.")]
Plural = Annotated[str | None, typer.Option(help="What many of them are called.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and stop.")]


def add_resource(  # noqa: PLR0913 - what its users may say
    service: Service,
    name: Name,
    fields: Fields,
    *,
    owner: Annotated[str | None, typer.Option(help="Its field with whose it is.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Who is signed in changes all.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="Admins change all.")] = False,
    plural: Plural = None,
    dry_run: DryRun = False,
) -> None:
    """Write a new resource: model, migration, service, API and tests."""
    access = [*(["owner"] if owner else []), *(["public"] * public), *(["admin"] * admin)]
    if len(access) != 1:
        raise OperatorError(f"who may change a {name}? Say one of --owner FIELD, --public, --admin")
    parsed = parse_fields(fields)
    names = Names(name, plural or plural_of(name))
    resource = Resource(names, parsed, access[0], _owner(parsed, owner))
    _carry_out(service, plan_resource(_project(service), resource), dry_run=dry_run)


def _owner(fields: tuple[Field, ...], name: str | None) -> Field | None:
    if name is None:
        return None
    found = next((field for field in fields if field.name == name), None)
    if found is None:
        raise OperatorError(f"--owner {name}: there is no such field: add {name}:user")
    return found


def _project(service: Service) -> Project:
    return Project(service.folder.parent, service.folder.name)


def _carry_out(service: Service, plan: Plan, *, dry_run: bool) -> None:
    for line in plan.lines():
        print(line)
    if dry_run:
        service.say("nothing was written")
        return
    plan.carry_out()
    service.say("read what was written, above all the migration; then run `make check`")


def remove_resource(
    service: Service, name: Name, *, plural: Plural = None, dry_run: DryRun = False
) -> None:
    """Take a resource out again, with the migration that drops its tables."""
    project = _project(service)
    names = names_of(project, name, plural)
    _carry_out(service, plan_removal(project, names), dry_run=dry_run)


def add_field(
    service: Service,
    name: Name,
    fields: Fields,
    *,
    plural: Plural = None,
    dry_run: DryRun = False,
) -> None:
    """Give a resource more fields, in its model, its API and its table."""
    project = _project(service)
    names = names_of(project, name, plural)
    _carry_out(service, plan_fields(project, names, parse_fields(fields)), dry_run=dry_run)
