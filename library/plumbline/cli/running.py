"""A command from its import to its end, and how what goes wrong for a known reason is told."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from typer.exceptions import Abort, TyperException

from plumbline.cli.importing import collector_at_rest
from plumbline.cli.terminal import POSTGRES, take_numbers
from plumbline.errors import AppError, OperatorError

SINGLE = {"seed", "top"}  # no groups, and use the database all the same


def finish(
    name: str, commands: str, settings: str | None, groups: Sequence[str]
) -> tuple[str, int]:
    """What is to be said at the end, which is empty where nothing is, and the exit code."""
    try:
        cli = _load(commands, settings, groups, sys.argv[1:])
        take_numbers(cli)
        ended = cli(standalone_mode=False) or 0
        if sys.stdout is not None:  # closed, as by >&-
            sys.stdout.flush()
    except (
        TyperException,
        ValidationError,
        AppError,
        OperatorError,
        OSError,
        SyntaxError,
    ) as error:
        return _told(name, error)
    except Abort:
        return "stopped", 130
    return "", ended


def _told(name: str, error: Exception) -> tuple[str, int]:
    match error:
        case TyperException():  # wrong use
            wrong = error.format_message()  # nothing, where a group without a command shows help
            return wrong and f"{wrong.rstrip('.')}. See `{name} --help`.", error.exit_code
        case ValidationError():  # pydantic's own text would repeat the password
            return " ".join(map(_invalid, error.errors())), 2
        case AppError():
            return " ".join([error.detail, *(f"{e.field} {e.message}." for e in error.errors)]), 1
        case OSError(errno=int()):  # a folder that may not be written, a full disk
            return _refused_by_the_system(error), 1
        case SyntaxError(filename=str(), lineno=int()):  # in a migration, say
            return f"{error.filename}, line {error.lineno}: {error.msg}", 1
        case OperatorError():
            return str(error), 1
    raise error


def _invalid(error: ErrorDetails) -> str:
    return f"{error['loc'][0]}: {error['msg'].removeprefix('Value error, ')}."


def _refused_by_the_system(error: OSError) -> str:
    """Nothing where nobody reads what is printed."""
    with suppress(OSError, ValueError, AttributeError):  # what is left would fail again at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    about = "" if error.filename is None else f"{error.filename}: "
    return "" if isinstance(error, BrokenPipeError) else f"{about}{error.strerror}"


def _load(
    commands: str, settings: str | None, groups: Sequence[str], words: list[str]
) -> typer.Typer:
    """Load the settings, then the commands; wrong settings are no obstacle to help."""
    if settings is not None:
        try:
            loaded = _import(settings)  # wrong settings end the import
        except SystemExit:
            if not _asks_for_help(words, groups):
                raise
            return _load_without_settings(commands)
        uses_database = bool({*words[:1]} & {*groups, *SINGLE})
        if uses_database and "DATABASE_URL" not in loaded.model_fields_set:
            _use_running_server(loaded)
    cli: typer.Typer = _import(commands)
    return cli


def _use_running_server(settings: Any) -> None:  # noqa: ANN401 - a DatabaseSettings, not imported
    """Prefer what `dev` or `postgres` runs in this folder, whatever its port."""
    from plumbline.db.embedded import find_url  # noqa: PLC0415 - psycopg, which `serve` does without

    if url := find_url(POSTGRES):
        settings.DATABASE_URL = url


def _asks_for_help(words: list[str], groups: Sequence[str]) -> bool:
    options = words[: words.index("--")] if "--" in words else words
    return "--help" in options or not words or words in [[group] for group in groups]


def _load_without_settings(commands: str) -> typer.Typer:
    environment = dict(os.environ)
    os.environ.clear()
    os.environ["ENV_FILE"] = os.environ["SECRETS_DIR"] = ""
    try:
        cli: typer.Typer = _import(commands)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return cli


def _import(path: str) -> Any:  # noqa: ANN401 - whatever is there
    module, _, name = path.partition(":")
    with collector_at_rest():
        return getattr(import_module(module), name)
