"""The groups of the `app` command. Loading them loads the settings."""

import typer

from app.cli import accounts
from plumbline.cli import schema, serving
from plumbline.cli.serve import serve
from plumbline.cli.words import NumbersAreArguments

cli = typer.Typer(
    help="Run and look after the service. Settings come from the environment and from .env.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serving.dev, serving.postgres, serve):
    cli.command()(command)
cli.command("check")(serving.check_settings)
cli.add_typer(schema.cli, name="db")
cli.add_typer(accounts.cli, name="user")
for group in (cli, schema.cli, accounts.cli):
    for info in group.registered_commands:
        info.cls = NumbersAreArguments
