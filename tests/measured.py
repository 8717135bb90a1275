"""A database with a few thousand posts, to count what requests cost and which files they pass."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from app.services.callers import token_digest
from plumbline.testing.cluster import Cluster
from tests.postgres import administrator
from tests.speed import TOKEN

ROLE, PASSWORD = "speed", "only-for-measuring"  # production refuses the password of the tests
FILL = """
INSERT INTO users (username, email, hashed_password) VALUES ('ada', 'ada@example.com', '');
INSERT INTO posts (title, content, author_id)
SELECT 'The post with the number ' || n, rpad('', 200, 'What it says. '), users.id
FROM users, generate_series(1, 3000) AS n;
"""
NEW_TOKEN = """
INSERT INTO access_tokens (digest, user_id, label, expires_at)
SELECT %s, id, 'speed', now() + interval '1 hour' FROM users
"""


@pytest.fixture
def measured_url(postgres: Cluster, clone: Callable[[], str]) -> Iterator[str]:
    """A database with a few thousand posts, as a role that may read and write its rows."""
    made = clone()
    with psycopg.connect(made, autocommit=True) as db:
        db.execute(FILL)
        db.execute(NEW_TOKEN, [token_digest(TOKEN)])
        db.execute("VACUUM (ANALYZE)")
    may = "pg_read_all_data, pg_write_all_data"
    with administrator(postgres) as admin:
        admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}' IN ROLE {may}")
        yield made.replace("postgres:postgres@", f"{ROLE}:{PASSWORD}@")
        admin.execute(f"DROP ROLE {ROLE}")
