"""The `app` command: how it starts, and how whatever goes wrong becomes one line."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from pydantic import ValidationError
from typer.exceptions import Abort, TyperException

from plumbline.cli.words import say
from plumbline.db.embedded import find_url
from plumbline.errors import AppError, OperatorError

if TYPE_CHECKING:
    from app.core.config import Settings

GROUPS = ["db"], ["user"]  # of commands that use a database; the others bring one, or check


def main() -> NoReturn:
    """Run a command; whatever goes wrong for a known reason is one line on standard error."""
    # As Ctrl-C, so that what a command started ends with it. A shell starts background commands
    # with SIGINT ignored, and then Python does not listen to it either.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        sys.exit(_load(sys.argv[1:])(standalone_mode=False) or 0)
    except TyperException as error:  # wrong use
        wrong = error.format_message()  # nothing, where a group without a command showed its help
        message, code = wrong and f"{wrong} See `app --help`.", error.exit_code
    except ValidationError as error:  # pydantic's own text would repeat the password
        message, code = " ".join(f"{e['loc'][0]}: {e['msg']}." for e in error.errors()), 2
    except AppError as error:
        fields = [f"{e.field} {e.message}." for e in error.errors]
        message, code = " ".join([error.detail, *fields]), 1
    except OperatorError as error:
        message, code = str(error), 1
    except (Abort, KeyboardInterrupt):
        message, code = "stopped", 130
    if message:
        say(" ".join(message.split()))
    sys.exit(code)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _load(words: list[str]) -> typer.Typer:
    """Load the settings, then the commands; wrong settings are no obstacle to help."""
    try:
        from app.core.config import settings  # noqa: PLC0415 - wrong settings end the import
    except SystemExit:
        if not _asks_for_help(words):
            raise
        return _load_without_settings()
    if words[:1] in GROUPS and "DATABASE_URL" not in settings.model_fields_set:
        _use_running_server(settings)
    from app.cli.commands import cli  # noqa: PLC0415 - makes the engine, for DATABASE_URL

    return cli


def _use_running_server(settings: "Settings") -> None:
    """Prefer what `app dev` or `app postgres` runs in this folder, whatever its port."""
    if url := find_url(Path(".postgres")):
        settings.DATABASE_URL = url


def _asks_for_help(words: list[str]) -> bool:
    options = words[: words.index("--")] if "--" in words else words
    return "--help" in options or not words or words in GROUPS


def _load_without_settings() -> typer.Typer:
    environment = dict(os.environ)
    os.environ.clear()
    os.environ["ENV_FILE"] = ""
    try:
        from app.cli.commands import cli  # noqa: PLC0415 - as above
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return cli
