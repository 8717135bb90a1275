"""A service, as far as its commands know it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from plumbline.cli.terminal import say
from plumbline.db.migrate import Migrations
from plumbline.logging import configure_logging
from plumbline.seeding.seeds import Seeds
from plumbline.settings import Settings


@dataclass(frozen=True)
class Service:
    """`app` names its ASGI application, as in `app.main:app`; its command is PROGRAM of `settings`.

    `dev` watches `folder`, and shows the address of `page`. To the tables `append_only` the
    application's own role may add rows, which it cannot change. `find_risks` gives a line for each
    setting with which production must not start, `find_warnings` for each that is unwise. With
    `seeds` there is a command `seed`.
    """

    app: str
    folder: Path
    settings: Settings
    migrations: Migrations
    find_risks: Callable[[], list[str]]
    find_warnings: Callable[[], list[str]]
    page: str = "/"
    append_only: Collection[str] = ()
    seeds: Seeds | None = None

    def __post_init__(self) -> None:
        if not self.settings.PROGRAM:
            raise TypeError(
                "a service with commands needs a name for them, as in "
                'class Settings(plumbline.Settings): PROGRAM = "shop"'
            )

    @property
    def name(self) -> str:
        """What its command is called."""
        return str(self.settings.PROGRAM)

    @property
    def is_production(self) -> bool:
        """Whether ENVIRONMENT says so."""
        return self.settings.ENVIRONMENT == "production"

    def say(self, message: str) -> None:
        """One line on the terminal, which begins with the name of the service."""
        say(self.name, message)

    def configure_logging(self) -> None:
        """As `plumbline.logging` has it, for the environment of the service."""
        configure_logging(production=self.is_production)
