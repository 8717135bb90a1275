"""`seed`: believable rows for a development database."""

import time
from importlib import import_module
from typing import Annotated, Any

import typer
from sqlalchemy import make_url

from plumbline.cli.service import Service
from plumbline.cli.terminal import POSTGRES
from plumbline.errors import OperatorError

MOST = 10_000_000


def seed(
    service: Service,
    size: Annotated[
        int, typer.Option(min=1, max=MOST, help="Rows of a table; those that refer to others: 5 x.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="The same number gives the same rows.")] = 1,
    into: Annotated[
        str, typer.Option(help="Name the database, where it is not the one of this folder.")
    ] = "",
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Remove all rows first.")] = False,
) -> None:
    """Fill the development database with believable rows, in one transaction."""
    assert service.seeds is not None
    _require_development(service, into)
    _require_migrated(service)
    filling, began = _seeding("filling"), time.monotonic()
    metadata, seeds = service.migrations.metadata, service.seeds
    total = sum(filling.count_rows(each, size) for each in filling.tables_to_fill(metadata, seeds))
    with _seeding("progress").progress(total) as advance:
        counts = filling.fill(
            service.settings.DATABASE_URL,
            metadata,
            seeds,
            size=size,
            seed=seed,
            replace=replace,
            limits=_seeding("limits").limits_of(_document(service)),
            advance=advance,
        )
    made = ", ".join(f"{count:,} {table}" for table, count in counts.items())
    service.say(f"{made}, in {time.monotonic() - began:.1f} s")
    if seeds.told:
        service.say(seeds.told)


def _require_development(service: Service, into: str) -> None:
    """OperatorError in production, and for a database that somebody else might need."""
    if service.is_production:
        raise OperatorError("ENVIRONMENT is production: made-up rows are for development only")
    url = make_url(service.settings.DATABASE_URL)
    if into and into != url.database:
        raise OperatorError(f"--into is {into}, but DATABASE_URL leads to {url.database}")
    if into or _is_of_this_folder(url.host, url.port, url.database):
        return
    where = f"{url.database} on {url.host or 'a socket'}"
    raise OperatorError(
        f"DATABASE_URL leads to {where}, and not to what `{service.name} dev` "
        f"runs in this folder: start that, or add --into {url.database} to fill it all the same"
    )


def _is_of_this_folder(host: str | None, port: int | None, database: str | None) -> bool:
    from plumbline.db.embedded import find_url  # noqa: PLC0415 - psycopg, which `serve` does without

    there = find_url(POSTGRES)
    if there is None:
        return False
    own = make_url(there)
    is_here = host in {own.host, "localhost"}
    return is_here and (port or 5432, database) == (own.port, own.database)


def _require_migrated(service: Service) -> None:
    current, needed = service.migrations.current_revision(), service.migrations.head_revision()
    if current != needed:
        raise OperatorError(
            f"the database is at revision {current}, not {needed}: run `{service.name} db upgrade`"
        )


def _document(service: Service) -> Any:  # noqa: ANN401 - of OpenAPI
    module, _, name = service.app.partition(":")
    return getattr(import_module(module), name).openapi()


def _seeding(module: str) -> Any:  # noqa: ANN401 - a module
    """Not imported above: the other commands do without mimesis."""
    try:
        return import_module(f"plumbline.seeding.{module}")
    except ModuleNotFoundError as error:
        if error.name != "mimesis":
            raise
        raise OperatorError("this needs mimesis: install plumbline-fastapi[seed]") from None
