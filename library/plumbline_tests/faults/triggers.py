"""Code that PostgreSQL runs when somebody writes a book."""

from collections.abc import Iterator
from contextlib import contextmanager

from plumbline_tests.faults.database import Database


@contextmanager
def on_insert(database: Database, code: str, *, at_commit: bool = False) -> Iterator[None]:
    """PL/pgSQL, with the statement or only at COMMIT."""
    moment = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    database.query(
        "CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {code}; RETURN NULL; END $$"
    )
    database.query(
        f"CREATE CONSTRAINT TRIGGER on_insert AFTER INSERT ON books {moment}"
        " FOR EACH ROW EXECUTE FUNCTION on_insert()"
    )
    try:
        yield
    finally:
        database.query("DROP FUNCTION on_insert CASCADE")
