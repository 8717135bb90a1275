"""A transaction that belongs to a `with` block: nobody in the block ends it, or begins another.

`get_db` is such a block: what a route has committed by itself stays when the route raises, and the
answer would say that nothing was stored.
"""

from typing import NoReturn

from sqlalchemy import Connection
from sqlalchemy.orm import Session, SessionTransaction

_OWNER = "plumbline_owner"  # among the attributes of a connection: the session that has it


class OwnedSession(Session):
    """A session that knows whether a block owns its transaction (`is_owned`)."""

    is_owned = False

    def begin(self, nested: bool = False) -> SessionTransaction:  # noqa: FBT001, FBT002 - SQLAlchemy's
        """As SQLAlchemy's; RuntimeError in a block that owns the transaction, unless `nested`."""
        if self.is_owned and not nested:
            refuse_by_owner("begin")
        return super().begin(nested)

    def commit(self) -> None:
        """As SQLAlchemy's; RuntimeError in a block that owns the transaction."""
        if self.is_owned:
            refuse_by_owner("commit")
        super().commit()

    def rollback(self) -> None:
        """As SQLAlchemy's; RuntimeError in a block that owns the transaction."""
        if self.is_owned:
            refuse_by_owner("rollback")
        super().rollback()

    def _close_impl(self, invalidate: bool, is_reset: bool = False) -> None:  # noqa: FBT001, FBT002
        """Of close(), reset() and invalidate()."""
        if self.is_owned:
            refuse_by_owner("close")
        super()._close_impl(invalidate, is_reset)


def remember_owner(connection: Connection, session: Session) -> None:
    """When a transaction of the session begins on it."""
    connection.__dict__[_OWNER] = session


def refuse_end_by_another(connection: Connection) -> None:
    """Listens to `commit` of an engine, for who does it past the session.

    Not to `rollback`: the session itself does so when a flush fails. Then it refuses to commit.
    """
    owner = connection.__dict__.get(_OWNER)
    if owner is not None and owner.is_owned:
        refuse_by_owner("commit")


def refuse_by_owner(act: str) -> NoReturn:
    """RuntimeError."""
    raise RuntimeError(
        f"{act}: the block that opened this session (get_db) commits at its end, and rolls back "
        "when it raises. For a part that may fail: `async with db.begin_nested()`. For a "
        "transaction of its own: `async with AsyncSessionFactory.begin() as db`"
    )
