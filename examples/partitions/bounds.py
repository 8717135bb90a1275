"""Where partitions begin, and the job that makes them ahead: `python bounds.py`, once a day.

It reads DATABASE_URL, as the owner of the tables. `python bounds.py 2026-01-01` also takes off the
months of the record that are over by then; each stays as a table, to be dumped and dropped.
"""

import os
import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, NullPool, create_engine, text

from plumbline.db.partitions import detach, extend, next_month
from plumbline.db.url import psycopg_url

POSTS_EACH = 10_000_000  # ids of one partition
MONTHS_AHEAD = timedelta(days=92)


def first_id(connection: Connection) -> int:
    """The posts below it become the first partition: one to two times POSTS_EACH of room."""
    last = connection.exec_driver_sql("SELECT last_value FROM posts_id_seq").scalar_one()
    return (int(last) // POSTS_EACH + 2) * POSTS_EACH


def first_month() -> datetime:
    """What is recorded before it becomes the first partition: one to two months of room."""
    return next_month(next_month(datetime.now(UTC)))


def make_ahead(connection: Connection) -> list[str]:
    """The partitions that will be needed; those that are there already stay."""
    return [
        *extend(connection, "posts", lambda end: end + POSTS_EACH, first_id(connection)),
        *extend(connection, "audit_events", next_month, datetime.now(UTC) + MONTHS_AHEAD),
    ]


def main() -> None:
    url = psycopg_url(os.environ["DATABASE_URL"])
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '1s'"))  # it comes again tomorrow
        for name in make_ahead(connection):
            print("added", name)
        for month in sys.argv[1:]:
            before = datetime.fromisoformat(month).replace(tzinfo=UTC)
            for name in detach(connection, "audit_events", before):
                print("detached", name)


if __name__ == "__main__":
    main()
