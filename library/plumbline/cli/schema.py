"""`db`: the database's schema.

What a command uses is imported by it: `serve`, which knows them all, does without Alembic.
"""

from dataclasses import replace
from typing import Annotated

import typer

from plumbline.cli.service import Service
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
        from plumbline.db import grants  # noqa: PLC0415

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
    from plumbline.db import advice, drift  # noqa: PLC0415

    service.configure_logging()
    head = service.migrations.head_revision()  # when there are several, nothing needs to start
    service.say("migrating a throw-away PostgreSQL to compare with the models")
    with drift.temporary_postgres() as server:
        service.migrations.upgrade(server.url())
        service.migrations.revision(message, server.url())
        written = replace(service.migrations, baseline=head)
        try:
            unsafe = advice.find_unsafe(written, server.url())
        except OperatorError as error:
            raise OperatorError(f"the script is written, but {error}") from error
    for line in unsafe:
        service.say(line)
    if unsafe:
        service.say(f"`{service.name} db check` refuses that: {advice.WAY_OUT}")


def merge(
    service: Service,
    message: Annotated[str, typer.Argument(help="What the script is called.")] = "merge heads",
) -> None:
    """Write the migration that joins two branches, each of which has added one of its own."""
    service.migrations.merge(message)


def check(service: Service) -> None:
    """Prove that the migrations make what the models say, and are in nobody's way."""
    from plumbline.db import advice, drift  # noqa: PLC0415

    service.say("running them on a throw-away PostgreSQL")
    service.migrations.head_revision()  # when there are several, nothing needs to start
    with drift.temporary_postgres() as server:
        urls = [server.url(name) for name in ("migrated", "modelled", "postgres")]
        differences = drift.compare(service.migrations, *urls)
        unsafe = advice.find_unsafe(service.migrations, server.url())
    if differences:
        print(differences)
        raise OperatorError(
            f"models and migrations differ: run `{service.name} db revision` and correct it; what "
            "it leaves out (such as the values of a CHECK) write into it by hand, and a view, "
            "function, trigger or extension is the models' by create_with"
        )
    if unsafe:
        print("\n".join(unsafe))
        raise OperatorError(f"migrations are in the way of requests: {advice.WAY_OUT}")
    print("Models and migrations agree, and the migrations are in nobody's way.")


def draw(service: Service) -> None:
    """Print the tables as a Mermaid diagram."""
    print(draw_tables(service.migrations.metadata))


def current(service: Service) -> None:
    """Show the revision that the database is at, and the one that this program needs."""
    migrations = service.migrations
    needed = migrations.head_revision()
    print(f"database {migrations.current_revision()}, program {needed}")


COMMANDS = (upgrade, downgrade, revision, merge, check, draw, current)
