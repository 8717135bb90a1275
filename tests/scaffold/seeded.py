"""Fills a database as `app seed` does, and shows each row to the API: run with -m in a copy."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import NullPool, create_engine, select

from app.cli.seeds import SEEDS
from app.db.schema import migrations
from app.main import app
from plumbline.db.embedded import run_postgres
from plumbline.db.url import psycopg_url
from plumbline.seeding.filling import fill
from plumbline.seeding.limits import limits_of

SIZE = 50


def refusals(url: str, resources: list[str]) -> Iterator[str]:
    """What the API would not have taken."""
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    for name in resources:
        schema = _create_schema(name)
        with engine.connect() as connection:
            rows = connection.execute(select(migrations.metadata.tables[name])).mappings().all()
        assert rows, name
        for row in rows:
            try:
                schema.model_validate(_body(schema, dict(row)))
            except ValidationError as error:
                yield f"{name}: {error}"


def _create_schema(resource: str) -> type[BaseModel]:
    module = import_module(f"app.api.{resource}")
    [found] = [value for key, value in vars(module).items() if key.endswith("Create")]
    schema: type[BaseModel] = found
    return schema


def _body(schema: type[BaseModel], row: Mapping[str, Any]) -> dict[str, Any]:
    """As a client would send it: nothing instead of null; of other tables nothing is there."""
    body = {key: row[key] for key in schema.model_fields if row.get(key) is not None}
    lists: dict[str, Any] = {
        key: [] for key in schema.model_fields if key.endswith("_ids") and key not in body
    }
    return body | lists


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        run_postgres(Path(folder, "postgres"), port=15500, durable=False, say=print) as server,
    ):
        migrations.upgrade(server.url())
        counts = fill(
            server.url(),
            migrations.metadata,
            SEEDS,
            size=SIZE,
            seed=1,
            replace=False,
            limits=limits_of(app.openapi()),
            advance=lambda _table, _rows: None,
        )
        sys.exit("\n".join(refusals(server.url(), sys.argv[1:])) or None)
