"""How a command starts: it listens to Ctrl-C before it imports what takes time."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn


def run(
    name: str, commands: str, *, settings: str | None = None, groups: Sequence[str] = ()
) -> NoReturn:
    """Run the command `name`; whatever goes wrong for a known reason is one line.

    `commands` is where its Typer is, as in `app.cli.commands:cli`, and `settings` where the
    instance is that the import of the commands loads. Both are imported here: what is wrong with
    the settings is no obstacle to help, and the engine is made for the DATABASE_URL that is found.
    `groups` are those whose commands use the database.
    """
    # As Ctrl-C, so that what a command started ends with it. A shell starts background commands
    # with SIGINT ignored, and then Python does not listen to it either.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        finish = import_module("plumbline.cli.running").finish  # Typer and pydantic
        message, code = finish(name, commands, settings, groups)
    except KeyboardInterrupt:
        message, code = "stopped", 130
    if message:
        print(f"{name}: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt
