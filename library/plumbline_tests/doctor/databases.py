"""A small database for the doctor, and who is connected to it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from sqlalchemy import make_url

from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import Diagnosis
from plumbline.doctor.live.database import USUAL, Thresholds
from plumbline.doctor.live.examination import examine
from plumbline.testing.cluster import Cluster

NAME, ROLE = "doctor", "shop"
AT_ONCE = Thresholds(idle_seconds=0, waiting_seconds=0, running_seconds=0, kept_bytes=0)


@contextmanager
def shop(cluster: Cluster) -> Iterator[str]:
    """A database with nothing in it, and a role that may only connect."""
    url = _conninfo(cluster.create(NAME))
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'shop'")
        admin.execute(f"ALTER ROLE {ROLE} SET idle_in_transaction_session_timeout = '60s'")
    try:
        yield url
    finally:
        cluster.drop(NAME)
        with cluster.connect() as admin:
            admin.execute(f"DROP ROLE {ROLE}")


def _conninfo(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def name_of(url: str) -> str:
    """What the database is called: the name of the run's is before ours."""
    return str(make_url(url).database)


def as_role(url: str, role: str = ROLE) -> str:
    made = make_url(url).set(username=role, password="shop")
    return made.render_as_string(hide_password=False)


def run(url: str, statements: str) -> None:
    """Each statement by itself, so that VACUUM and its like may be among them."""
    with psycopg.connect(url, autocommit=True) as connection:
        for each in statements.split(";\n"):
            connection.execute(each.encode())


def empty(url: str) -> None:
    run(url, "DROP SCHEMA public CASCADE;\nCREATE SCHEMA public")


def in_schemas(url: str, cases: dict[str, str]) -> dict[str, list[str]]:
    """What is found where each case has run its statements in a schema of its own: one look."""
    names = {f"case_{number}": case for number, case in enumerate(cases)}
    found: dict[str, list[str]] = {case: [] for case in cases}
    for schema, case in names.items():
        run(url, f"CREATE SCHEMA {schema};\nSET search_path = {schema};\n{cases[case]}")
    for finding in look(url, AT_ONCE).findings:
        schema, _, name = finding.path.partition(".")
        if schema in names:
            found[names[schema]].append(f"{finding.code} {name}")
    run(url, ";\n".join(f"DROP SCHEMA {schema} CASCADE" for schema in names))
    return found


def look(url: str, thresholds: Thresholds = USUAL) -> Diagnosis:
    return examine(url, Configuration(), thresholds=thresholds)


def found(url: str, thresholds: Thresholds = USUAL) -> list[tuple[str, str]]:
    """Code and object of each finding, without what is true of every server for tests."""
    findings = look(url, thresholds).findings
    return [(each.code, each.path) for each in findings if each.path != "server"]


@contextmanager
def sessions(url: str, *statements: str, name: str = "web") -> Iterator[list[int]]:
    """A session for each of the statements, which has run it and does nothing since; their pids."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(psycopg.connect(url, application_name=name, autocommit=True))
            for _ in statements
        ]
        for connection, statement in zip(connections, statements, strict=True):
            connection.execute(statement.encode())
        yield [connection.info.backend_pid for connection in connections]
