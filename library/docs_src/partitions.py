"""A table that serves becomes a partitioned one, and grows by a job."""

from datetime import UTC, datetime, timedelta

from alembic import op
from sqlalchemy import Connection

from plumbline.db.partitioning import partition, prepare
from plumbline.db.partitions import detach, extend, next_month


def bound() -> datetime:
    """All that was written before it is the first partition: one to two months of room."""
    return next_month(next_month(datetime.now(UTC)))


# A first revision, beside those who use the table:
def prepare_events() -> None:
    with op.get_context().autocommit_block():
        prepare(op.get_bind(), "events", "at", bound())


# A second one, with the release whose models say the same:
def partition_events() -> None:
    partition(op.get_bind(), "events", "at", bound())
    add_months(op.get_bind())


# A job, once a day, on a connection in AUTOCOMMIT with a lock_timeout:
def add_months(connection: Connection) -> list[str]:
    return extend(connection, "events", next_month, datetime.now(UTC) + timedelta(days=92))


def take_off_old_months(connection: Connection) -> list[str]:
    return detach(connection, "events", datetime.now(UTC) - timedelta(days=365))
