"""What grows with the tables, and what must not: PostgreSQL's own count of the pages it touches."""

from collections.abc import Iterator
from statistics import median
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Literal
from sqlalchemy import insert

from app.core.config import settings
from app.db.models import User
from app.db.session import engine
from app.services.callers import token_digest
from app.services.posts import _NEW_POST
from plumbline.testing.cluster import Cluster
from plumbline.testing.fixtures import TEMPLATE
from tests.db.test_statement_equality import READS
from tests.postgres import administrator

SMALL, LARGE = 1_000, 220_000  # posts
PEOPLE = {SMALL: 1_000, LARGE: 22_000}  # with a token each
AUTHORS = 1_000
PROLIFIC = 7  # the author of every second post
PAGE = 20
LIMIT = PAGE + 1  # the row too many tells that there is more
PAGE_10000 = LARGE + 1 - 9_999 * PAGE  # the posts below this id
MAX_ID = 2**63 - 1
PAGE_NODES = {"WindowAgg", "Subquery Scan", "Limit", "Nested Loop", "Memoize", "Index Scan"}
TOKEN = "number 500"
# The triggers of foreign keys would take most of the time; the rows are right without them.
FILL = """
SET session_replication_role = replica;
INSERT INTO users (username, email, hashed_password)
SELECT 'user' || n, 'user' || n || '@example.com', 'x'
FROM generate_series(1, {people}) AS n;
INSERT INTO posts (title, content, author_id)
SELECT 'Title ' || n, 'Some words.',
    CASE n % 2 WHEN 0 THEN {prolific} ELSE 1 + n * 7919 % {authors} END
FROM generate_series(1, {rows}) AS n;
INSERT INTO access_tokens (digest, user_id, label, expires_at)
SELECT sha256(('number ' || n)::bytea), n, 'x', now() + interval '1 day'
FROM generate_series(1, {people}) AS n;
"""
NEW_USER = {
    "username": "zoë",
    "email": "zoë@example.com",
    "hashed_password": "",
    "is_active": True,
    "role": "user",
}
WRITES: dict[str, tuple[str, list[object]]] = {
    "post": (_NEW_POST.sql, ["New", "Words.", 500]),
    "user": (
        str(insert(User).compile(dialect=engine.dialect, column_keys=list(NEW_USER))),
        list(NEW_USER.values()),
    ),
}

Database = psycopg.Connection[Any]
Plan = dict[str, Any]


@pytest.fixture(scope="module")
def tables(postgres: Cluster) -> Iterator[dict[int, Database]]:
    """Two databases, by the number of their posts."""
    made: dict[int, Database] = {}
    for rows in (SMALL, LARGE):
        url = postgres.create(f"growth_{rows}", TEMPLATE)
        made[rows] = psycopg.connect(url, autocommit=True)
        numbers = {"rows": rows, "people": PEOPLE[rows], "authors": AUTHORS, "prolific": PROLIFIC}
        made[rows].execute(SQL(FILL).format(**numbers))
        made[rows].execute("RESET session_replication_role")
        made[rows].execute("VACUUM (ANALYZE) users, posts, access_tokens")
    yield made
    with administrator(postgres) as admin:
        for rows, db in made.items():
            db.close()
            admin.execute(f"DROP DATABASE growth_{rows}")


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
def plans(request: pytest.FixtureRequest, tables: dict[int, Database]) -> dict[int, Database]:
    """The databases, planning for the values at hand, or once for all as from the sixth time on."""
    for db in tables.values():
        db.execute(f"SET plan_cache_mode = {request.param}")
    return tables


def _explain(db: Database, sql: str, *values: object) -> Plan:
    """The plan of a statement that was run, and then undone."""
    db.execute(SQL("PREPARE asked AS {}").format(SQL(sql)))
    asked = SQL("asked ({})").format(SQL(", ").join(map(Literal, values)))
    explain = SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {}").format(asked)
    with db.transaction(force_rollback=True):
        ((found,),) = db.execute(explain).fetchall()
    db.execute("DEALLOCATE ALL")
    plan: Plan = found[0]["Plan"]
    return plan


def _read(db: Database, name: str, **values: object) -> Plan:
    read = READS[name]
    if "_NEWEST" in name:
        values["max_bytes"] = settings.MAX_PAGE_BYTES
    return _explain(db, read.sql, *read._arguments(values))


def _pages(plan: Plan) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _nodes(plan: Plan) -> list[Plan]:
    return [plan, *(node for child in plan.get("Plans", []) for node in _nodes(child))]


def _kinds(plan: Plan) -> set[str]:
    return {node["Node Type"] for node in _nodes(plan)}


def _sorted_rows(plan: Plan) -> int:
    sorts = [node for node in _nodes(plan) if "Sort" in node["Node Type"]]
    return max((int(node["Plans"][0]["Actual Rows"]) for node in sorts), default=0)


def test_page_10000_costs_as_much_as_page_1(plans: dict[int, Database]) -> None:
    first, deep = (
        _read(plans[LARGE], "posts._NEWEST", before_id=before_id, limit=LIMIT)
        for before_id in (MAX_ID, PAGE_10000)
    )

    assert (first["Actual Rows"], deep["Actual Rows"]) == (LIMIT, LIMIT)
    assert _kinds(first) == _kinds(deep) <= PAGE_NODES
    assert _pages(deep) <= 1.2 * _pages(first)


@pytest.mark.parametrize("left", [50_000, LIMIT])
def test_page_of_an_author_costs_the_same_at_any_depth(
    left: int, plans: dict[int, Database]
) -> None:
    """Where a page is all that is left, PostgreSQL may fetch its rows first, and sort them then."""
    db, name = plans[LARGE], "posts._NEWEST_OF_AUTHOR"
    of_author: dict[str, object] = {"limit": LIMIT, "author_id": PROLIFIC}
    first = _read(db, name, before_id=MAX_ID, **of_author)
    deep = _read(db, name, before_id=2 * left + 1, **of_author)

    assert (first["Actual Rows"], deep["Actual Rows"]) == (LIMIT, LIMIT)
    assert not {"Seq Scan", "Hash Join"} & (_kinds(first) | _kinds(deep))
    assert _sorted_rows(first) == 0
    assert _sorted_rows(deep) <= (LIMIT if left == LIMIT else 0)
    assert _pages(deep) <= 1.2 * _pages(first)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("posts._POST_BY_ID", {"post_id": 500}),
        ("users._PROFILE", {"user_id": 500}),
        ("callers._caller_by_token", {"digest": token_digest(TOKEN)}),
    ],
)
def test_one_row_is_found_by_index_at_any_size(
    name: str, values: dict[str, object], plans: dict[int, Database]
) -> None:
    small, large = (_read(plans[rows], name, **values) for rows in (SMALL, LARGE))

    assert (small["Actual Rows"], large["Actual Rows"]) == (1, 1)
    assert _kinds(large) <= {"Nested Loop", "Index Scan", "Index Only Scan"}
    assert _pages(large) <= _pages(small) + 2


@pytest.mark.parametrize("name", WRITES)
def test_new_row_costs_the_same_at_any_size(name: str, plans: dict[int, Database]) -> None:
    sql, values = WRITES[name]
    small, large = (
        median(_pages(_explain(plans[rows], sql, *values)) for _ in range(5))
        for rows in (SMALL, LARGE)
    )

    assert large <= small + 4
