"""A session that only reads: each statement of it is a transaction of its own."""

from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from plumbline.db.owned_session import OwnedSession
from plumbline.db.read_only import READING, refuse_by_a_read_session, refuse_transaction
from plumbline.db.session import BlockSession

if TYPE_CHECKING:
    from plumbline.db.replicas import Replicas


class ReadSession(OwnedSession):
    """Each statement of it is a transaction of its own, so it must not write."""

    def begin(self, nested: bool = False) -> NoReturn:  # noqa: ARG002, FBT001, FBT002 - SQLAlchemy's
        """TypeError; so are the others."""
        refuse_transaction()

    def commit(self) -> NoReturn:
        """TypeError."""
        refuse_transaction()

    def rollback(self) -> NoReturn:
        """TypeError."""
        refuse_transaction()


@event.listens_for(ReadSession, "before_flush")
def _refuse_writes(*_: object) -> NoReturn:
    refuse_by_a_read_session()


def read_session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions that read, without a transaction: each statement sees the newest rows.

    AUTOCOMMIT: one round trip a statement instead of BEGIN, statement, ROLLBACK.
    """
    replicas: Replicas | None = getattr(engine, "replicas", None)
    kind = ReadSession if replicas is None else replicas.session_class(ReadSession)
    return async_sessionmaker(
        engine,
        class_=BlockSession,
        expire_on_commit=False,
        close_resets_only=False,
        sync_session_class=kind,
        execution_options=READING,
    )
