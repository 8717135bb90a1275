"""What sessions do to each other is found, with who does it; and what a role may see of that."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from plumbline.doctor.live.database import Thresholds
from plumbline.doctor.live.redaction import without_values
from plumbline.testing.cluster import Cluster
from plumbline_tests.doctor.databases import (
    AT_ONCE,
    as_role,
    found,
    look,
    name_of,
    run,
    sessions,
    shop,
)

DATABASE = pytest.param("DATABASE {name}", marks=pytest.mark.torture)
BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture(scope="module")
def database(postgres: Cluster) -> Iterator[str]:
    with shop(postgres) as url:
        run(url, "CREATE TABLE sale (id int PRIMARY KEY, buyer text)")
        run(url, "INSERT INTO sale VALUES (1, 'ada');\nGRANT ALL ON sale TO shop")
        yield url


def test_transaction_that_is_left_open_is_named_without_its_values(database: str) -> None:
    with sessions(database, "BEGIN; SELECT id FROM sale WHERE buyer = 'ada' AND id = 41") as (pid,):
        (finding,) = [each for each in look(database, AT_ONCE).findings if each.path != "server"]
        later = found(database)

    assert (finding.code, finding.path) == ("PL702", "session web of postgres")
    assert f"process {pid} (127.0.0.1) does nothing in its transaction since 0 s" in finding.message
    assert finding.message.endswith("BEGIN; SELECT id FROM sale WHERE buyer = ? AND id = ?")
    assert later == []


@pytest.mark.torture
def test_failed_transaction_that_is_left_open_is_found(database: str) -> None:
    with psycopg.connect(database) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nothing")

        assert [code for code, _ in found(database, AT_ONCE)] == ["PL702"]


def test_session_that_keeps_others_waiting_is_found(database: str) -> None:
    with psycopg.connect(database, application_name="export") as holding:
        holding.execute("SELECT * FROM sale FOR UPDATE")
        with psycopg.connect(database, application_name="web", autocommit=True) as waiting:
            thread = threading.Thread(
                target=waiting.execute, args=["DELETE FROM sale WHERE id = 1"]
            )
            thread.start()
            until_one_waits(database)
            everything = [each for each in look(database, AT_ONCE).findings if each.code == "PL704"]
            holding.rollback()
            thread.join()

    (finding,) = everything
    assert finding.path == "session export of postgres"
    assert "(idle in transaction) keeps 1 waiting, process" in finding.message
    assert "with: DELETE FROM sale WHERE id = ?; its own last statement: SELECT" in finding.message


def until_one_waits(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        while connection.execute(BLOCKED).fetchone() == (0,):
            pass  # each round waits for the server


def test_long_statement_is_found(database: str) -> None:
    """At work, that is waiting for a lock that a session holds without a transaction."""
    lock = "SELECT pg_advisory_lock(1)"
    with (
        sessions(database, lock, name="holder") as (holder,),
        psycopg.connect(database, application_name="web", autocommit=True) as working,
    ):
        thread = threading.Thread(target=working.execute, args=[lock])
        thread.start()
        until_one_waits(database)
        codes = [code for code, _ in found(database, AT_ONCE)]
        run(database, f"SELECT pg_terminate_backend({holder})")
        thread.join()

    assert sorted(codes) == ["PL703", "PL704"]


@pytest.mark.parametrize("limited", ["ROLE shop", DATABASE])
def test_connections_near_a_limit_are_found_with_who_has_them(limited: str, database: str) -> None:
    change = f"ALTER {limited} CONNECTION LIMIT".format(name=name_of(database))
    run(database, f"{change} 4")
    with sessions(as_role(database), *["SELECT 1"] * 3):
        few = found(database)
    with sessions(as_role(database), *["SELECT 1"] * 4):
        (finding,) = [each for each in look(database).findings if each.path != "server"]
    run(database, f"{change} -1")

    assert few == []
    assert finding.code == "PL701"
    assert finding.message.startswith("4 of 4 connections are taken (4 web of shop at 127.0.0.1)")


def test_share_of_the_server_and_the_age_of_transactions_are_compared(database: str) -> None:
    found_at_once = found(database, Thresholds(used_share=0, transactions=0))

    assert ("PL701", "max_connections") in found_at_once
    assert [code for code, name in found_at_once if name.startswith("database ")] == ["PL732"]


def test_role_is_told_what_it_may_not_see(database: str) -> None:
    run(database, "CREATE TABLE hidden (id serial PRIMARY KEY)")
    with sessions(database, "BEGIN; SELECT 1"), sessions(as_role(database), "BEGIN; SELECT 2"):
        seen = look(as_role(database), AT_ONCE)
    run(database, "DROP TABLE hidden")

    paths = [(each.code, each.path) for each in seen.findings if each.path != "server"]
    assert paths == [("PL702", "session web of shop")]
    assert [(each.path, each.reason) for each in seen.unread] == [
        (
            "what other roles' sessions do",
            "shop is no member of pg_monitor: GRANT pg_monitor TO shop",
        ),
        ("sequences", "shop lacks SELECT on them"),
    ]


@pytest.mark.torture
def test_member_of_pg_monitor_sees_all_sessions(database: str) -> None:
    run(database, "GRANT pg_monitor TO shop")
    with sessions(database, "BEGIN; SELECT 1"):
        seen = look(as_role(database), AT_ONCE)
    run(database, "REVOKE pg_monitor FROM shop")

    assert ("PL702", "session web of postgres") in [
        (each.code, each.path) for each in seen.findings
    ]
    assert seen.unread == []


STATEMENTS = {
    "SELECT 'it''s', 42, 1.5e3 FROM t1 WHERE a = $1": "SELECT ?, ?, ? FROM t1 WHERE a = $1",
    r"SELECT E'a\'secret', E'cut \'sec": "SELECT ?, ?",
    "SELECT $$secret$$, $x$ a $$ b $x$, $y$ cut": "SELECT ?, ?, ?",
    'SELECT "it\'s 5" FROM t': 'SELECT "it\'s 5" FROM t',
    "SELECT /* secret */ 1 -- secret 'x": "SELECT ?",
    "ALTER ROLE a PASSWORD 'secret that is cut": "ALTER ROLE a PASSWORD ?",
    "SELECT x'ff', N'secret', U&'\\0041'": "SELECT ?, ?, ?",
    "SELECT /* /* */ ' */ 'secret'": "?",
    "SELECT a\n  FROM b": "SELECT a FROM b",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_are_shown_without_values(statement: str) -> None:
    assert without_values(statement) == STATEMENTS[statement]


def test_long_statements_are_cut() -> None:
    assert without_values(f"SELECT {'a, ' * 100} b").endswith("a, a…")
