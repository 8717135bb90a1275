"""What `add` and `remove` do, for plumbline/cli/scaffold.py."""

from collections.abc import Sequence
from pathlib import Path

from plumbline.cli.terminal import say
from plumbline.errors import OperatorError
from plumbline.scaffold.additions import plan_fields
from plumbline.scaffold.fields import Field, parse_fields
from plumbline.scaffold.names import Names, plural_of
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.removal import names_of, plan_removal
from plumbline.scaffold.resource import Resource, plan_resource

__all__ = ["names_of", "parse_fields", "plan_fields", "plan_removal", "plan_resource"]

_MANY = "there are several services here: run the command of the one that is meant"
_NONE = "there is no service in this folder: run it where pyproject.toml is"


def find_project(package: Path | None) -> Project:
    """The service in this folder, or the one that is told; OperatorError for none, or several."""
    if package is not None:
        return Project(package.parent, package.name)
    found = [each.parents[2] for each in Path.cwd().glob("*/db/models/__init__.py")]
    if len(found) != 1:
        raise OperatorError(_MANY if found else _NONE)
    return Project(found[0].parent, found[0].name)


def parse_resource(
    name: str, plural: str | None, fields: Sequence[str], access: str, owner: str | None
) -> Resource:
    """As it was typed; OperatorError for fields that cannot be."""
    parsed = parse_fields(fields)
    return Resource(Names(name, plural or plural_of(name)), parsed, access, _owner(parsed, owner))


def _owner(fields: tuple[Field, ...], name: str | None) -> Field | None:
    if name is None:
        return None
    found = next((field for field in fields if field.name == name), None)
    if found is None:
        raise OperatorError(f"--owner {name}: there is no such field: add {name}:user")
    return found


def carry_out(command: str, plan: Plan, *, dry_run: bool) -> None:
    """Say what changes, and change it."""
    for line in plan.lines():
        print(line)
    if dry_run:
        say(command, "nothing was written")
        return
    plan.carry_out()
    say(command, "read what was written, above all the migration; then run all checks")
