"""`add resource`, `add field`, `remove resource`: what a new resource takes is written."""

from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Annotated

import typer

from plumbline.cli.terminal import new_group, say
from plumbline.errors import OperatorError
from plumbline.scaffold.additions import plan_fields
from plumbline.scaffold.fields import Field, parse_fields
from plumbline.scaffold.names import Names, plural_of
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.removal import names_of, plan_removal
from plumbline.scaffold.resource import Resource, plan_resource

_MANY = "there are several services here: run the command of the one that is meant"
_NONE = "there is no service in this folder: run it where pyproject.toml is"


@dataclass(frozen=True)
class Writer:
    """Whose command it is; `folder` is the package of the service, None to look for it here."""

    name: str
    folder: Path | None = None

    def project(self) -> Project:
        """The service that is meant; OperatorError where there is none, or several."""
        if self.folder is not None:
            return Project(self.folder.parent, self.folder.name)
        found = [each.parents[2] for each in Path.cwd().glob("*/db/models/__init__.py")]
        if len(found) != 1:
            raise OperatorError(_MANY if found else _NONE)
        return Project(found[0].parent, found[0].name)


def add_scaffold(cli: typer.Typer, writer: Writer) -> None:
    """The groups `add` and `remove`."""
    add = new_group("Write what a new resource or field takes.")
    add.command("resource")(MethodType(add_resource, writer))
    add.command("field")(MethodType(add_field, writer))
    cli.add_typer(add, name="add")
    remove = new_group("Take out what a resource took.")
    remove.command("resource")(MethodType(remove_resource, writer))
    cli.add_typer(remove, name="remove")


Name = Annotated[str, typer.Argument(help="What one of them is called, as in `book`.")]
Fields = Annotated[list[str], typer.Argument(help="NAME:TYPE, as in `title:str(200)`, in quotes.")]
Plural = Annotated[str | None, typer.Option(help="What many of them are called.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and stop.")]


def add_resource(  # noqa: PLR0913 - what its users may say
    writer: Writer,
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
    _carry_out(writer, plan_resource(writer.project(), resource), dry_run=dry_run)


def _owner(fields: tuple[Field, ...], name: str | None) -> Field | None:
    if name is None:
        return None
    found = next((field for field in fields if field.name == name), None)
    if found is None:
        raise OperatorError(f"--owner {name}: there is no such field: add {name}:user")
    return found


def _carry_out(writer: Writer, plan: Plan, *, dry_run: bool) -> None:
    for line in plan.lines():
        print(line)
    if dry_run:
        say(writer.name, "nothing was written")
        return
    plan.carry_out()
    say(writer.name, "read what was written, above all the migration; then run all checks")


def remove_resource(
    writer: Writer, name: Name, *, plural: Plural = None, dry_run: DryRun = False
) -> None:
    """Take a resource out again, with the migration that drops its tables."""
    project = writer.project()
    names = names_of(project, name, plural)
    _carry_out(writer, plan_removal(project, names), dry_run=dry_run)


def add_field(
    writer: Writer,
    name: Name,
    fields: Fields,
    *,
    plural: Plural = None,
    dry_run: DryRun = False,
) -> None:
    """Give a resource more fields, in its model, its API and its table."""
    project = writer.project()
    names = names_of(project, name, plural)
    _carry_out(writer, plan_fields(project, names, parse_fields(fields)), dry_run=dry_run)
