"""The guard: what a request costs, against the same work by hand (benchmarks/README.md)."""

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest

from app.core.security import token_digest
from app.db.embedded import Server
from tests.conftest import administrator
from tests.core.test_production import SAFE
from tests.processes import python
from tests.speed import TOKEN

# Measured: 1.7-2.0, 1.8-2.1, 1.9-2.1 and 4.0-4.4, on an idle machine and beside other tests.
BOUNDS = {
    "GET /posts/{id}": 2.6,
    "GET /posts?limit=20": 2.6,
    "GET /users/me": 2.6,
    "POST /posts": 5.2,
}
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
def url(postgres: Server, clone: Callable[[], str]) -> Iterator[str]:
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


def test_request_costs_little_more_than_the_same_work_by_hand(url: str) -> None:
    production = SAFE | {"ALLOWED_HOSTS": "127.0.0.1", "ALLOW_UNSAFE_DATABASE": "true"}
    process = python("-m", "tests.speed", url, **production | {"DATABASE_URL": url})
    assert process.returncode == 0, process.stderr[-3000:]
    ratios: dict[str, float] = json.loads(process.stdout)

    slow = [
        f"{work} takes {ratio:.1f} times the CPU time of the same work by hand, and may take"
        f" {BOUNDS[work]}"
        for work, ratio in ratios.items()
        if ratio > BOUNDS[work]
    ]

    assert ratios.keys() == BOUNDS.keys()
    assert not slow, "; ".join([*slow, "`make bench` looks closer"])
