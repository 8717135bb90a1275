"""What of the service holds on Citus: the tries of docs/past_one_primary.md, once each.

python -m benchmarks.citus postgresql://postgres@127.0.0.1:5432/app: the coordinator's URL, as a
superuser, of an empty database with the extension and its workers. It drops what it finds there.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import psycopg

from app.db.schema import migrations
from plumbline.db.tenants import isolation_sql

PORT, PASSWORD = 21_499, "correct horse battery staple"
API = f"http://127.0.0.1:{PORT}/api/v1"
TABLES = (
    "access_tokens, known_networks, posts, users, audit_events, attempt_counts, idempotency_keys, "
    "alembic_version, invoices"
)
OF_USERS = {"posts": "author_id", "access_tokens": "user_id", "known_networks": "user_id"}
REFUSED = [
    "SELECT create_distributed_table('users', 'id')",
    "SELECT create_distributed_table('posts', 'author_id')",
]
LAYOUT = [
    *(f"ALTER TABLE {t} DROP CONSTRAINT fk_{t}_{c}_users" for t, c in OF_USERS.items()),
    "SELECT create_reference_table('users')",
    "SELECT create_distributed_table('posts', 'id')",
    (
        "ALTER TABLE posts ADD CONSTRAINT fk_posts_author_id_users FOREIGN KEY (author_id) "
        "REFERENCES users (id) ON DELETE CASCADE"
    ),
    "SELECT create_distributed_table('audit_events', 'id')",
]
TENANTS = [
    isolation_sql("invoices")[0],
    (
        "CREATE TABLE invoices (id bigint, tenant_id bigint DEFAULT plumbline_tenant()::bigint, "
        "PRIMARY KEY (tenant_id, id))"
    ),
    "SELECT create_distributed_table('invoices', 'tenant_id')",
    isolation_sql("invoices")[-1],  # Citus takes no subquery in a policy
    "CREATE POLICY tenant ON invoices USING (tenant_id = plumbline_tenant()::bigint)",
]
COMMITTING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
    "AND application_name LIKE 'citus_internal%'"
)


def say(db: psycopg.Connection, statement: str) -> None:
    try:
        db.execute(statement.encode())
        print("done    ", statement.strip().partition("\n")[0][:90])
    except psycopg.Error as error:
        print("refused ", statement[:90], "\n         ", str(error).partition("\n")[0])


@contextmanager
def serving(url: str) -> Iterator[httpx2.Client]:
    command = [sys.executable, "-m", "app.cli", "serve", f"--port={PORT}"]
    environment = os.environ | {"DATABASE_URL": url, "ALLOW_UNSAFE_DATABASE": "true"}
    with (
        subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process,
        httpx2.Client(timeout=30) as client,
    ):
        try:
            while not _is_alive(client):
                time.sleep(0.2)
            yield client
        finally:
            process.terminate()


def _is_alive(client: httpx2.Client) -> bool:
    with suppress(httpx2.HTTPError):
        return client.get(API.replace("/api/v1", "/livez")).is_success
    return False


def ask(client: httpx2.Client, db: psycopg.Connection) -> None:
    """Routes once each, with the status that they have on one PostgreSQL."""

    def expect(status: int, method: str, path: str, **sent: Any) -> httpx2.Response:  # noqa: ANN401
        answer = client.request(method, API + path, **sent)
        print("as ever " if answer.status_code == status else "NOT SO  ", status, method, path)
        return answer

    ada = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    expect(201, "POST", "/users", json=ada)
    expect(409, "POST", "/users", json=ada | {"username": "eve"})
    expect(401, "POST", "/auth/token", data={"username": "ada", "password": "wrong"})
    token = expect(200, "POST", "/auth/token", data={"username": "ada", "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
    post, key = {"title": "x", "content": "x"}, {"Idempotency-Key": "a-key-of-this-run"}
    first, again = (expect(201, "POST", "/posts", json=post, headers=key) for _ in range(2))
    print("as ever " if again.text == first.text else "NOT SO  ", "the same key, the same post")
    path = f"/posts/{first.json()['id']}"
    expect(200, "PATCH", path, json={"title": "y"}, headers={"If-Match": '"1"'})
    expect(412, "PATCH", path, json={"title": "z"}, headers={"If-Match": '"1"'})
    db.execute("UPDATE users SET role = 'admin'")
    for read in ("/posts?limit=5", "/users/me", "/users", "/audit", "/auth/tokens"):
        expect(200, "GET", read)
    expect(204, "DELETE", path)


def end_a_worker_that_has_committed(db: psycopg.Connection, url: str) -> None:
    """Its COMMIT waits for a standby that is not there, so it is stored and unanswered."""
    nodes = db.execute("SELECT nodename, nodeport FROM pg_dist_node WHERE groupid > 0").fetchall()
    at = [psycopg.connect(url, host=host, port=port, autocommit=True) for host, port in nodes]
    for worker in at:
        worker.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        worker.execute("SELECT pg_reload_conf()")
    time.sleep(1)
    with psycopg.connect(url) as writer:
        row = writer.execute("SELECT pg_current_xact_id()::text").fetchone()
        writer.execute("INSERT INTO posts (title, content, author_id) VALUES ('lost', '', 1)")
        ending = threading.Timer(2, lambda: [each.execute(COMMITTING) for each in at])
        ending.start()
        say(writer, "COMMIT")
        ending.join()
    asked = (
        "SELECT pg_xact_status(%s::text::xid8), (SELECT count(*) FROM posts WHERE title = 'lost')"
    )
    print("the coordinator says, and so many rows are stored:", db.execute(asked, row).fetchone())
    for worker in at:
        worker.execute("ALTER SYSTEM RESET synchronous_standby_names")
        worker.execute("SELECT pg_reload_conf()")
        worker.close()


def main(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f"DROP TABLE IF EXISTS {TABLES} CASCADE".encode())
        migrations.upgrade(url)
        db.execute("SET citus.shard_count = 4")
        for statement in (*REFUSED, *LAYOUT, *TENANTS):
            say(db, statement)
        with serving(url) as client:
            ask(client, db)
        end_a_worker_that_has_committed(db, url)


if __name__ == "__main__":
    main(sys.argv[1])
