"""The commands: those of the library for this service, and `user`."""

from functools import partial
from pathlib import Path

from app.cli import accounts
from app.cli.seeds import SEEDS
from app.core.config import settings
from app.core.production import find_risks, find_warnings
from app.db.schema import APPEND_ONLY, migrations
from plumbline.cli.commands import service_commands
from plumbline.cli.service import Service

service = Service(
    app="app.main:app",
    folder=Path(__file__).parents[1],
    settings=settings,
    migrations=migrations,
    find_risks=partial(find_risks, settings),
    find_warnings=partial(find_warnings, settings),
    page="/api/v1",
    append_only=APPEND_ONLY,
    seeds=SEEDS,
)
cli = service_commands(service)
cli.add_typer(accounts.cli, name="user")
