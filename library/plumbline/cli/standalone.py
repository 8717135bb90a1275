"""The commands of `plumbline`: what needs no service, and what writes into the one that is here."""

from types import MethodType
from typing import Any

import typer
from typer.core import TyperGroup

from plumbline.cli.postgres import postgres
from plumbline.cli.projects import new, update
from plumbline.cli.scaffold import Writer, add_scaffold
from plumbline.cli.terminal import new_group, take_numbers

PURPOSE = "New services, resources for one, a doctor for any, and a PostgreSQL."


class Commands(TyperGroup):
    """Those below, and the doctor, which is imported for those who ask for it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's own
        """In the order of the help."""
        return [*super().list_commands(ctx), "doctor"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - Typer's own
        """None where there is none."""
        return _doctor() if cmd_name == "doctor" else super().get_command(ctx, cmd_name)


def _doctor() -> Any:  # noqa: ANN401 - Typer's own
    from plumbline.cli.doctor import doctor  # noqa: PLC0415 - optional

    alone = new_group("")
    alone.command("doctor")(doctor)
    take_numbers(alone)
    return typer.main.get_command(alone)


cli = new_group(PURPOSE, Commands)
cli.command()(new)
cli.command()(update)
cli.command()(MethodType(postgres, "plumbline"))
add_scaffold(cli, Writer("plumbline"))
