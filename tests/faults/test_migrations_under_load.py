"""Who uses the service does not notice its migrations; how that is done, the library proves."""

from collections.abc import Callable

import pytest
from alembic.script import Script
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import Post, User
from app.db.schema import migrations
from plumbline_tests.faults.crowd import own_engine
from plumbline_tests.faults.migrating import (
    assert_unnoticed,
    later_revisions,
    upgrade_under_load,
)
from plumbline_tests.torture import Figure


async def _add_people(url: str) -> None:
    people = [
        User(
            username=f"user{number}",
            email=f"user{number}@example.com",
            hashed_password="-",
            posts=[Post(title="Hello", content="World")],
        )
        for number in range(20)
    ]
    async with own_engine(url) as engine, AsyncSession(engine) as db, db.begin():
        db.add_all(people)


@pytest.mark.parametrize("script", later_revisions(migrations), ids=lambda each: each.revision)
async def test_migration_passes_unnoticed(
    clone: Callable[[], str], script: Script, figure: Figure
) -> None:
    usage = await upgrade_under_load("app.db.schema", migrations, clone(), script, _add_people)

    assert_unnoticed(usage, migrations)
    figure(f"migration {script.revision} under {usage.statements} statements", usage)
