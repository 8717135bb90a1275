"""The command `plumbline`: what needs no service."""

from types import MethodType
from typing import NoReturn

from plumbline.cli.main import run
from plumbline.cli.postgres import postgres
from plumbline.cli.projects import new, update
from plumbline.cli.terminal import new_group

cli = new_group("What needs no service.")


cli.command()(new)
cli.command()(update)
cli.command()(MethodType(postgres, "plumbline"))


def main() -> NoReturn:
    """The command `plumbline`, to its end."""
    run("plumbline", "plumbline.cli.standalone:cli")
