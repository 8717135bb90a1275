"""`app db`: the database's schema."""

from typing import Annotated

import typer

from app.core.config import settings
from app.db.schema import APPEND_ONLY, migrations
from plumbline.cli.words import say
from plumbline.db import drift, grants
from plumbline.db.diagram import draw_tables
from plumbline.errors import OperatorError
from plumbline.logging import configure_logging

cli = typer.Typer(help="The database's schema.", no_args_is_help=True)

Revision = Annotated[str, typer.Argument(help="A revision, `head`, `base`, or steps as in -1.")]


@cli.command()
def upgrade(revision: Revision = "head") -> None:
    """Migrate up; safe to run on several machines at once."""
    configure_logging()
    migrations.upgrade(revision=revision)
    if settings.DB_APPLICATION_ROLE:
        grants.grant(settings, settings.DB_APPLICATION_ROLE, append_only=APPEND_ONLY)


@cli.command()
def downgrade(revision: Revision = "-1") -> None:
    """Migrate down."""
    configure_logging()
    migrations.downgrade(revision=revision)


@cli.command()
def revision(
    message: Annotated[str, typer.Argument(help="What it changes, in a few words.")],
) -> None:
    """Write the migration from what the migrations so far make to what the models say."""
    configure_logging()
    say("migrating a throw-away PostgreSQL to compare with the models")
    with drift.temporary_postgres() as server:
        migrations.upgrade(server.url())
        migrations.revision(message, server.url())


@cli.command()
def check() -> None:
    """Prove, on a throw-away PostgreSQL, that the migrations make exactly what the models say."""
    say("comparing them on a throw-away PostgreSQL")
    if differences := drift.find_drift(migrations):
        print(differences)
        raise OperatorError("models and migrations differ: run `app db revision` and correct it")
    print("Models and migrations agree.")


@cli.command()
def draw() -> None:
    """Print the tables as a Mermaid diagram."""
    print(draw_tables(migrations.metadata))


@cli.command()
def current() -> None:
    """Show the revision that the database is at, and the one that this program needs."""
    print(f"database {migrations.current_revision()}, program {migrations.head_revision()}")
