"""Who may change accounts: one at a time for each account, and for the set of admins.

Rows alone are not fair: PostgreSQL lets those who share a row overtake who waits to change it, so a
stolen log-in that writes all the time could not be ended. Advisory locks are given in turn.
"""

from sqlalchemy import ColumnClause, ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.db.models import User

_ACCOUNT: ColumnClause[int] = literal_column("7272741")  # the first halves of the locks' names
_ADMINS: ColumnClause[int] = literal_column("7272742")

LOCK_ADMINS = select(func.pg_advisory_xact_lock(_ADMINS, literal_column("0")))


def take_turn(user_id: InstrumentedAttribute[int], *, shared: bool = False) -> ColumnElement[bool]:
    """A condition that is true when the turn has come; in a SELECT that locks the row as well.

    The row, because the statement may see it as it was before the wait, and only locking it finds
    the newest; and because a statement that forgets its turn is still kept out by the row.
    """
    lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    return lock(_ACCOUNT, func.hashint8(user_id)).is_not(None)


async def lock_account(db: AsyncSession, user_id: int) -> User | None:
    """The user, whom nobody else changes before our commit, and whose log-ins store nothing."""
    rows = select(User).where(User.id == user_id, take_turn(User.id)).with_for_update()
    return await db.scalar(rows.execution_options(populate_existing=True))


async def lock_admins(db: AsyncSession) -> list[int]:
    """The active admins, in whose number nobody else is or is not before our commit.

    Before any account is locked, so that nobody waits in a circle.
    """
    await db.execute(LOCK_ADMINS)
    return list(await db.scalars(select(User.id).where(User.role == "admin", User.is_active)))
