"""The command `plumbline`."""

from typing import NoReturn

from plumbline.cli.main import run


def main() -> NoReturn:
    """Run it to its end."""
    run("plumbline", "plumbline.cli.standalone:cli")
