"""The `app` command."""

from typing import NoReturn

from plumbline.cli.main import run


def main() -> NoReturn:
    run(
        "app",
        "app.cli.commands:cli",
        settings="app.core.config:settings",
        groups=["db", "user"],
    )
