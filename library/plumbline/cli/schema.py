"""`db`: the database's schema."""

from typing import Annotated

import typer

from plumbline.cli.service import Service
from plumbline.db import drift, grants
from plumbline.db.diagram import draw_tables
from plumbline.errors import OperatorError

Revision = Annotated[str, typer.Argument(help="A revision, `head`, `base`, or steps as in -1.")]


def upgrade(service: Service, revision: Revision = "head") -> None:
    """Migrate up; safe to run on several machines at once."""
    service.configure_logging()
    if revision == "head":
        service.migrations.head_revision()  # when there are several, no database is asked
    service.migrations.upgrade(revision=revision)
    if role := service.settings.DB_APPLICATION_ROLE:
        append_only, schemas = service.append_only, service.migrations.schemas
        grants.grant(service.settings, role, append_only=append_only, schemas=schemas)


def downgrade(service: Service, revision: Revision = "-1") -> None:
    """Migrate down."""
    service.configure_logging()
    service.migrations.downgrade(revision=revision)


def revision(
    service: Service,
    message: Annotated[str, typer.Argument(help="What it changes, in a few words.")],
) -> None:
    """Write the migration from what the migrations so far make to what the models say."""
    service.configure_logging()
    service.migrations.head_revision()  # when there are several, nothing needs to start
    service.say("migrating a throw-away PostgreSQL to compare with the models")
    with drift.temporary_postgres() as server:
        service.migrations.upgrade(server.url())
        service.migrations.revision(message, server.url())


def merge(
    service: Service,
    message: Annotated[str, typer.Argument(help="What the script is called.")] = "merge heads",
) -> None:
    """Write the migration that joins two branches, each of which has added one of its own."""
    service.migrations.merge(message)


def check(service: Service) -> None:
    """Prove, on a throw-away PostgreSQL, that the migrations make exactly what the models say."""
    service.say("comparing them on a throw-away PostgreSQL")
    if differences := drift.find_drift(service.migrations):
        print(differences)
        raise OperatorError(
            f"models and migrations differ: run `{service.name} db revision` and correct it; what "
            "it cannot write (a view, function, trigger or extension) models have by create_with"
        )
    print("Models and migrations agree.")


def draw(service: Service) -> None:
    """Print the tables as a Mermaid diagram."""
    print(draw_tables(service.migrations.metadata))


def current(service: Service) -> None:
    """Show the revision that the database is at, and the one that this program needs."""
    migrations = service.migrations
    needed = migrations.head_revision()
    print(f"database {migrations.current_revision()}, program {needed}")


COMMANDS = (upgrade, downgrade, revision, merge, check, draw, current)
