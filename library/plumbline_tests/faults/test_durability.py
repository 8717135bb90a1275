"""What a kill cannot show: settings of PostgreSQL with which it loses what it has acknowledged."""

from contextlib import closing

import pytest
from sqlalchemy import text

from plumbline.db.readiness import DURABILITY
from plumbline_tests.faults.crowd import own_engine
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewService


@pytest.mark.parametrize(
    "name",
    [DURABILITY[0], *(pytest.param(name, marks=pytest.mark.torture) for name in DURABILITY[1:])],
)
async def test_production_is_not_ready_on_a_database_that_forgets(
    name: str, new_database: NewDatabase, new_service: NewService
) -> None:
    database = await new_database(**{name: "off"})

    service = await new_service(database.url(), ENVIRONMENT="production")
    with closing(service.wire()) as wire:
        unready = await wire.get("/readyz")

    expected = f"with {name} off: turn it on, or set ALLOW_UNSAFE_DATABASE=true"
    assert unready.status == 503
    assert unready.json()["detail"] == "Not ready: database-unsafe."
    assert service.logged().count(expected) == 1


async def test_setting_allows_it(new_database: NewDatabase, new_service: NewService) -> None:
    database = await new_database(fsync="off")

    allowed = {"ENVIRONMENT": "production", "ALLOW_UNSAFE_DATABASE": "true"}
    service = await new_service(database.url(), **allowed)
    with closing(service.wire()) as wire:
        assert (await wire.get("/readyz")).status == 200


async def test_commits_wait_for_the_disk(database: Database) -> None:
    """Of the service's own connections: PostgreSQL's default, which we must not weaken."""
    async with own_engine(database.url()) as engine, engine.connect() as connection:
        assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
