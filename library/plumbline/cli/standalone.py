"""The command `plumbline`: what needs no service, and what writes into the one that is here."""

from types import MethodType
from typing import NoReturn

from plumbline.cli.doctor import doctor
from plumbline.cli.main import run
from plumbline.cli.postgres import postgres
from plumbline.cli.projects import new, update
from plumbline.cli.scaffold import Writer, add_scaffold
from plumbline.cli.terminal import new_group

cli = new_group("New services, resources for one, a doctor for any, and a PostgreSQL.")


cli.command()(new)
cli.command()(update)
cli.command()(MethodType(postgres, "plumbline"))
cli.command()(doctor)
add_scaffold(cli, Writer("plumbline"))


def main() -> NoReturn:
    """The command `plumbline`, to its end."""
    run("plumbline", "plumbline.cli.standalone:cli")
