"""The command `plumbline`: what needs no service."""

from types import MethodType
from typing import NoReturn

from plumbline.cli.doctor import doctor
from plumbline.cli.main import run
from plumbline.cli.postgres import postgres
from plumbline.cli.terminal import new_group

cli = new_group("What needs no service.")


@cli.callback()
def _group() -> None:
    """A group also while it has one command."""


cli.command()(MethodType(postgres, "plumbline"))
cli.command()(doctor)


def main() -> NoReturn:
    """The command `plumbline`, to its end."""
    run("plumbline", "plumbline.cli.standalone:cli")
