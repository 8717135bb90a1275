"""How commands read what is typed, and how they talk."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
DataDir = Annotated[Path, typer.Option(help="Folder of the embedded PostgreSQL.")]

POSTGRES = Path(".postgres")  # where `dev` and `postgres` keep it, and where the others look for it


def say(name: str, message: str) -> None:
    """A line on standard error, which begins with the name of the command."""
    print(f"{name}: {message}", file=sys.stderr, flush=True)


def new_group(purpose: str, kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group of commands whose errors are for `plumbline.cli.main.run` to show."""
    return typer.Typer(
        cls=kind,
        help=purpose,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


class NumbersAreArguments(TyperCommand):
    """A command that takes -1 for an argument, not for an option that it does not know."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own
        ctx.ignore_unknown_options = any(re.fullmatch(r"-\d+", word) for word in args)
        return super().parse_args(ctx, args)


def take_numbers(cli: typer.Typer) -> None:
    """Let each command of `cli`, and of its groups, be one of these."""
    for command in cli.registered_commands:
        command.cls = NumbersAreArguments
    for group in cli.registered_groups:
        if group.typer_instance is not None:
            take_numbers(group.typer_instance)
