"""`add resource`, `add field`, `remove resource`: what a new resource takes is written.

What writes is imported by the commands themselves: a service that runs does without it.
"""

from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Annotated

import typer

from plumbline.cli.terminal import new_group
from plumbline.errors import OperatorError


@dataclass(frozen=True)
class Writer:
    """Whose command it is; `folder` is the package of the service, None to look for it here."""

    name: str
    folder: Path | None = None


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
    from plumbline.cli import writing  # noqa: PLC0415 - see above

    resource = writing.parse_resource(name, plural, fields, access[0], owner)
    project = writing.find_project(writer.folder)
    writing.carry_out(writer.name, writing.plan_resource(project, resource), dry_run=dry_run)


def remove_resource(
    writer: Writer, name: Name, *, plural: Plural = None, dry_run: DryRun = False
) -> None:
    """Take a resource out again, with the migration that drops its tables."""
    from plumbline.cli import writing  # noqa: PLC0415 - see above

    project = writing.find_project(writer.folder)
    names = writing.names_of(project, name, plural)
    writing.carry_out(writer.name, writing.plan_removal(project, names), dry_run=dry_run)


def add_field(
    writer: Writer,
    name: Name,
    fields: Fields,
    *,
    plural: Plural = None,
    dry_run: DryRun = False,
) -> None:
    """Give a resource more fields, in its model, its API and its table."""
    from plumbline.cli import writing  # noqa: PLC0415 - see above

    project = writing.find_project(writer.folder)
    names = writing.names_of(project, name, plural)
    plan = writing.plan_fields(project, names, writing.parse_fields(fields))
    writing.carry_out(writer.name, plan, dry_run=dry_run)
