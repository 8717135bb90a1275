"""The `app` command: its groups, and how whatever goes wrong becomes one line."""

import signal
import sys
from typing import NoReturn

import typer
from pydantic import ValidationError
from typer.exceptions import Abort, TyperException

from app.cli import accounts, schema, serving
from app.cli.serve import serve
from app.cli.words import say
from app.core.errors import AppError, OperatorError

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


def main() -> NoReturn:
    """Run a command; whatever goes wrong for a known reason is one line on standard error."""
    signal.signal(signal.SIGTERM, _stop)  # as Ctrl-C: so that what a command started ends with it
    try:
        sys.exit(cli(standalone_mode=False) or 0)
    except TyperException as error:  # wrong use
        message, code = f"{error.format_message()} See `app --help`.", error.exit_code
    except ValidationError as error:  # pydantic's own text would repeat the password
        message, code = " ".join(f"{e['loc'][0]}: {e['msg']}." for e in error.errors()), 2
    except AppError as error:
        fields = [f"{e.field} {e.message}." for e in error.errors]
        message, code = " ".join([error.detail, *fields]), 1
    except OperatorError as error:
        message, code = str(error), 1
    except (Abort, KeyboardInterrupt):
        message, code = "stopped", 130
    say(" ".join(message.split()))
    sys.exit(code)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt
