"""The database that everybody is measured on: 1,000 users, 1,000,000 posts, kept in `.bench`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.progress import track

from app.core.config import settings
from app.db.schema import APPEND_ONLY, migrations
from app.services.callers import token_digest
from benchmarks.lineup import NEWEST_ID
from plumbline.db.embedded import DATABASE, Server, run_postgres
from plumbline.db.grants import grant

FOLDER = Path(".bench")
PORT = 21_432
USERS = 1_000
CHUNK = 20_000
ROLE, ROLE_PASSWORD = "bench", "only-for-measuring"  # production refuses the seed's password
SETTINGS = {"max_connections": "300", "shared_buffers": "512MB"}

NEW_USERS = """
INSERT INTO users (id, username, email, hashed_password) OVERRIDING SYSTEM VALUE
SELECT n, format('user%%s', n), format('user%%s@example.com', n), 'nobody logs in here'
FROM generate_series(1, %s::bigint) AS n
"""
NEW_POSTS = """
INSERT INTO posts (id, title, content, author_id, created_at, updated_at) OVERRIDING SYSTEM VALUE
SELECT n, format('The post with the number %%s', lpad(n::text, 7, '0')),
    rpad('', 200, format('%%s is what post %%s says. ', md5(n::text), n)),
    1 + n * 7919 %% %s::bigint,
    timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second',
    CASE WHEN n %% 10 = 0 THEN timestamptz '2026-02-01 00:00:00+00' + n * interval '1 second' END
FROM generate_series(%s::bigint, %s::bigint) AS n
"""
# In the future, so that ours does not note the use of each token once more during the run: in
# production that is one write a user and minute.
FRESH_TOKENS = """
UPDATE access_tokens SET last_used_at = now() + interval '1 day',
expires_at = now() + interval '30 days'
"""


# Ours may not: PostgreSQL says when a post was written. Some of the others say it themselves.
WRITE_TIMES = f"GRANT INSERT, UPDATE ON posts TO {ROLE}"


def token(user_id: int) -> str:
    return f"plumb_bench_{user_id:04}"


@dataclass(frozen=True)
class Database:
    url: str  # for the contenders
    port: int
    owner_url: str
    posts: int

    @property
    def version(self) -> str:
        with psycopg.connect(self.owner_url) as db:
            return db.info.parameter_status("server_version") or ""

    def reset(self) -> None:
        """As it was before the first post of a contender."""
        with psycopg.connect(self.owner_url, autocommit=True) as db:
            db.execute(f"DELETE FROM posts WHERE id > {self.posts}")
            db.execute(f"ALTER TABLE posts ALTER id RESTART WITH {self.posts + 1}")
            db.execute(FRESH_TOKENS)
            db.execute("VACUUM ANALYZE")
            db.execute("CHECKPOINT")


@contextmanager
def run_database() -> Iterator[Database]:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    with run_postgres(FOLDER / "postgres", port=PORT, settings=SETTINGS, say=print) as server:
        yield make_database(server, DATABASE, NEWEST_ID)


def make_database(server: Server, name: str, posts: int) -> Database:
    """The one of that name, with so many posts; what is there already is not written again."""
    owner_url = server.url(name)
    with psycopg.connect(server.url(), autocommit=True) as db:
        if not _count(db, "SELECT count(*) FROM pg_database WHERE datname = %s", name):
            db.execute(f'CREATE DATABASE "{name}"')
    migrations.upgrade(owner_url)
    with psycopg.connect(owner_url, autocommit=True) as db:
        _fill(db, posts)
        _make_role(db)
    grant(settings, ROLE, owner_url, APPEND_ONLY)
    with psycopg.connect(owner_url, autocommit=True) as db:
        db.execute(WRITE_TIMES)
    url = f"postgresql://{ROLE}:{ROLE_PASSWORD}@127.0.0.1:{server.port}/{name}"
    database = Database(url, server.port, owner_url, posts)
    database.reset()
    return database


def _fill(db: psycopg.Connection, posts: int) -> None:
    """Go on where the last run was interrupted."""
    if not _count(db, "SELECT count(*) FROM access_tokens"):
        db.execute("TRUNCATE users CASCADE")
        db.execute(NEW_USERS, [USERS])
        rows = [(token_digest(token(user)), user) for user in range(1, USERS + 1)]
        insert = (
            "INSERT INTO access_tokens (digest, user_id, label, expires_at) "
            "VALUES (%s, %s, 'bench', now())"
        )
        with db.transaction(), db.cursor() as cursor:
            cursor.executemany(insert, rows)
    start = _count(db, "SELECT coalesce(max(id), 0) FROM posts WHERE id <= %s", posts) + 1
    chunks = range(start, posts + 1, CHUNK)
    doing = f"writing {posts:,} posts (only the first time)"
    db.execute("SET session_replication_role = replica")  # each post has an author: see NEW_POSTS
    for first in track(chunks, doing, disable=not chunks):
        db.execute(NEW_POSTS, [USERS, first, min(first + CHUNK - 1, posts)])
    db.execute("RESET session_replication_role")


def _count(db: psycopg.Connection, query: str, *values: int) -> int:
    row = db.execute(query, values).fetchone()
    assert row
    return int(row[0])


def _make_role(db: psycopg.Connection) -> None:
    if not _count(db, "SELECT count(*) FROM pg_roles WHERE rolname = 'bench'"):
        db.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE_PASSWORD}'")
