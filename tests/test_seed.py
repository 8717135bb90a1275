"""`app seed`: rows that the API would have taken, into a development database and no other."""

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.users import UserCreate
from app.cli.seeds import PASSWORD, SEEDS
from app.core import security
from app.db.base import Base
from app.db.models import User
from plumbline.errors import OperatorError
from plumbline.seeding.filling import fill
from plumbline.seeding.limits import limits_of
from plumbline.testing.rows import StoredRows
from plumbline_tests.processes import python, python_in
from tests.people import make_user
from tests.postgres import ROOT
from tests.service import SERVICE

SIZE = 60
_app = partial(python, "-m", "app.cli")


def seed(url: str, seed: int = 1, *, replace: bool = False) -> dict[str, int]:
    counted: list[int] = []
    counts = fill(
        url,
        Base.metadata,
        SEEDS,
        size=SIZE,
        seed=seed,
        replace=replace,
        limits=limits_of(SERVICE.app.openapi()),
        advance=lambda _, rows: counted.append(rows),
    )
    assert sum(counted) == sum(counts.values())
    return counts


async def test_people_are_those_whom_the_api_would_take(
    main_database: str, db: AsyncSession
) -> None:
    counts = await asyncio.to_thread(seed, main_database)

    users = list(await db.scalars(select(User).order_by(User.id)))
    bodies = [UserCreate(username=u.username, email=u.email, password=PASSWORD) for u in users]
    assert counts["users"] == len(users) == SIZE
    assert [(b.username, b.email) for b in bodies] == [(u.username, u.email) for u in users]
    assert [user.role for user in users].index("admin") == 0
    assert {user.role for user in users[1:]} == {"user"}
    assert await security.verify_password(PASSWORD, users[-1].hashed_password)
    await security.check_new_password(PASSWORD, users[0].username, users[0].email)
    assert users[0].hashed_password == security.hash_for_development(PASSWORD)
    assert not security.needs_rehash(users[0].hashed_password)


async def test_what_belongs_to_people_is_made_from_the_tables(
    main_database: str, stored_rows: StoredRows
) -> None:
    counts = await asyncio.to_thread(seed, main_database)

    assert counts.keys() == Base.metadata.tables.keys() - SEEDS.left_out
    assert {count for name, count in counts.items() if name != "users"} <= {5 * SIZE}
    assert stored_rows.filled_tables() == counts.keys()


async def test_seed_gives_the_same_rows_again_and_another_seed_others(
    main_database: str, stored_rows: StoredRows
) -> None:
    rows = []
    for number in (1, 1, 2):
        await asyncio.to_thread(seed, main_database, number, replace=True)
        rows.append(stored_rows.all())

    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


async def test_next_row_has_a_number_of_its_own(main_database: str) -> None:
    await asyncio.to_thread(seed, main_database)

    assert (await make_user("newcomer")).id > SIZE


async def test_rows_that_are_there_stay(main_database: str, stored_rows: StoredRows) -> None:
    await make_user("somebody")
    before = stored_rows.all()

    with pytest.raises(OperatorError, match="users has rows: add --replace"):
        await asyncio.to_thread(seed, main_database)

    assert stored_rows.all() == before


def test_command_fills_the_database_that_is_named(
    main_database: str, stored_rows: StoredRows
) -> None:
    name = main_database.rpartition("/")[2]

    process = _app("seed", "--size=3", f"--into={name}")

    assert process.returncode == 0, process.stderr
    assert process.stderr.startswith("app: 3 users")
    assert PASSWORD in process.stderr
    assert stored_rows.filled_tables() == Base.metadata.tables.keys() - SEEDS.left_out


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        ([], {"ENVIRONMENT": "production"}, "ENVIRONMENT is production"),
        (["--into={}"], {"ENVIRONMENT": "production"}, "ENVIRONMENT is production"),
        ([], {}, "DATABASE_URL leads to {} on 127.0.0.1, and not to what `app dev` runs"),
        (["--into=other"], {}, "--into is other, but DATABASE_URL leads to {}"),
        (["--size=0"], {}, "Invalid value for '--size'"),
    ],
)
def test_command_refuses_what_might_be_somebody_elses(
    main_database: str,
    stored_rows: StoredRows,
    arguments: list[str],
    variables: dict[str, str],
    told: str,
) -> None:
    name = main_database.rpartition("/")[2]

    process = _app("seed", *(each.format(name) for each in arguments), **variables)

    assert process.returncode in {1, 2}
    assert process.stderr.startswith(f"app: {told.format(name)}")
    assert process.stderr.count("\n") == 1
    assert stored_rows.all() == []


def test_wrong_settings_stop_it(tmp_path: Path) -> None:
    """It is no group, whose name alone asks for help."""
    variables = os.environ | {"DB_POOL_SIZE": "many", "PYTHONPATH": f"{ROOT}:{ROOT / 'library'}"}

    process = python_in(tmp_path, "-m", "app.cli", "seed", **variables)

    assert process.returncode == 1
    assert process.stderr.startswith("DB_POOL_SIZE: ")


def test_database_that_is_not_migrated_is_told_so(main_database: str) -> None:
    empty = main_database.rpartition("/")[0] + "/postgres"

    process = _app("seed", "--into=postgres", DATABASE_URL=empty)

    assert process.returncode == 1
    assert "run `app db upgrade`" in process.stderr
