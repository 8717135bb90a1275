"""What the database itself refuses, whoever writes."""

import pytest
from sqlalchemy import String, inspect, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base
from app.db.models import User

TABLES = Base.metadata.sorted_tables


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"role": "root"}, "ck_users_role"),
        ({"username": ""}, "ck_users_username"),
        ({"username": "a@b.c"}, "ck_users_username"),
        ({"email": "nobody"}, "ck_users_email"),
        ({"username": "alice"}, "uq_users_username"),
        ({"email": "alice@example.com"}, "uq_users_email"),
    ],
)
async def test_database_refuses_a_wrong_user(
    db: AsyncSession, alice: User, columns: dict[str, str], constraint: str
) -> None:
    right = {"username": "carol", "email": "carol@example.com", "hashed_password": "x"}

    with pytest.raises(IntegrityError, match=constraint):
        await db.execute(User.__table__.insert().values(right | columns))  # type: ignore[attr-defined]
    assert alice.id


async def test_names_are_folded_by_the_model_itself() -> None:
    user = User(username="ALICE", email="Alice@Example.com")

    assert (user.username, user.email) == ("alice", "alice@example.com")


async def test_ids_are_given_by_the_database_only(db: AsyncSession, alice: User) -> None:
    insert = text("INSERT INTO access_tokens (id, user_id) VALUES (1, :user_id)")

    with pytest.raises(ProgrammingError, match="cannot insert a non-DEFAULT value"):
        await db.execute(insert, {"user_id": alice.id})


def test_every_foreign_key_says_what_happens_on_delete() -> None:
    keys = [(table.name, key) for table in TABLES for key in table.foreign_key_constraints]

    assert keys
    assert [f"{name}.{key.column_keys}" for name, key in keys if not key.ondelete] == []


def test_every_number_has_64_bits() -> None:
    narrow = {"integer", "small_integer"}

    columns = [column for table in TABLES for column in table.columns]
    assert [str(each) for each in columns if each.type.__visit_name__ in narrow] == []


def test_seed_s_columns_are_all_there() -> None:
    users = inspect(User).columns
    seed = {"id", "username", "email", "hashed_password", "is_active", "role"}

    assert seed | {"created_at", "updated_at"} == set(users.keys())
    lengths = {c.name: c.type.length for c in users if isinstance(c.type, String)}
    assert lengths == {"username": 50, "email": 255, "hashed_password": 255, "role": 20}
