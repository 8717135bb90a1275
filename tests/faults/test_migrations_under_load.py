"""Who uses the service does not notice its migrations; how that is done, the library proves."""

from collections.abc import Callable

import pytest
from alembic.script import Script
from sqlalchemy import NullPool, create_engine

from app.db.schema import migrations
from plumbline.db.url import psycopg_url
from plumbline.testing.row_values import fill
from plumbline_tests.faults.migrating import (
    assert_unnoticed,
    later_revisions,
    upgrade_under_load,
)
from plumbline_tests.torture import Figure
from tests.service import SERVICE


async def _fill(url: str) -> None:
    with create_engine(psycopg_url(url), poolclass=NullPool).begin() as connection:
        fill(connection, SERVICE.rows)


@pytest.mark.parametrize("script", later_revisions(migrations), ids=lambda each: each.revision)
async def test_migration_passes_unnoticed(
    clone: Callable[[], str], script: Script, figure: Figure
) -> None:
    usage = await upgrade_under_load("app.db.schema", migrations, clone(), script, _fill)

    assert_unnoticed(usage, migrations)
    figure(f"migration {script.revision} under {usage.statements} statements", usage)
