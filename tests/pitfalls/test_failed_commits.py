"""A change of an account whose COMMIT fails is no success."""

import httpx2
import pytest
from sqlalchemy import text

from app.db.models import User
from app.db.session import engine
from tests.people import PASSWORD, signed_in

CAROL = {"username": "carol", "email": "carol@example.com", "password": PASSWORD}
FAIL = """
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = 'foreign_key_violation'; END $$
"""
TRIGGER = """
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE OR DELETE ON users
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()
"""


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/users", CAROL),
        ("PATCH", "/api/v1/users/me", {"email": "new@example.com"}),
        ("DELETE", "/api/v1/users/me", {"password": PASSWORD}),
    ],
)
async def test_failed_commit_of_an_account_is_never_answered_as_a_success(
    client: httpx2.AsyncClient, alice: User, method: str, path: str, body: object
) -> None:
    async with engine.begin() as db:
        before = (await db.execute(text("SELECT * FROM users"))).all()
        for statement in (FAIL, TRIGGER):
            await db.exec_driver_sql(statement)
    try:
        response = await client.request(method, path, json=body, headers=signed_in(alice))
    finally:
        async with engine.begin() as db:
            await db.exec_driver_sql("DROP FUNCTION at_commit CASCADE")
            after = (await db.execute(text("SELECT * FROM users"))).all()

    assert response.status_code == 409
    assert after == before
