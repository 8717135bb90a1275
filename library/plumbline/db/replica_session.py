"""Sessions that read from where their request may, and what happens when a replica fails them."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from plumbline.db.connection import NotConnected
from plumbline.db.errors import has_lost_connection, sqlstate
from plumbline.db.hosts import is_away
from plumbline.db.reading import note_read, reader

if TYPE_CHECKING:
    from plumbline.db.replicas import Replicas

# What the primary would say as well: the statement took too long, or a value is wrong.
_THE_SAME_THERE = ("57014", "22")
PROMOTED = "promoted"  # among the lives that a request has met: not one of any primary


class ReplicaReads(Session):
    """A session that only reads. From one place, until something else is done on the primary."""

    replicas: "Replicas"

    def get_bind(self, *args: Any, **options: Any) -> Engine | Connection:  # noqa: ANN401 - SQLAlchemy's
        bind = super().get_bind(*args, **options)
        chosen = self.replicas.choose() if bind is self.bind else None
        return bind if chosen is None else chosen.engine.sync_engine

    def _connection_for_bind(self, engine: Any, *args: Any, **options: Any) -> Connection:  # noqa: ANN401 - same
        while True:
            current = reader.get()
            taken = 0 if current is None else current.writers
            try:
                made = super()._connection_for_bind(engine, *args, **options)
            except (DBAPIError, OSError) as error:
                if not self._may_read_again(engine, error):
                    raise
            else:
                if current is not None and current.writers == taken + 1:
                    note_read()
                return made
            chosen = self.replicas.choose()
            engine = self.bind if chosen is None else chosen.engine.sync_engine

    def _may_read_again(self, engine: object, error: Exception) -> bool:
        """Whether a connection is to be had elsewhere."""
        found = [each for each in self.replicas.all if each.engine.sync_engine is engine]
        if self.bind is None or not (found or engine is self.bind):
            return False
        at = found[0] if found else None
        return bool(await_only(self.replicas.may_read_again(at, error)))


def gives_way(error: BaseException) -> bool:
    """Whether a read of a replica that failed is to be done again, elsewhere.

    Another replica is asked if that one has gone; what it lacks, others may lack as well.
    """
    if (current := reader.get()) is not None and current.replica is not None:
        current.failed += (current.replica,)
        if not _is_gone(error):
            current.may_use_replicas = False
        current.reads -= 1
        if current.reads == 0:  # it has shown nothing
            current.replica = None
    is_full = isinstance(error, PoolTimeoutError)
    return not is_full and not (sqlstate(error) or "").startswith(_THE_SAME_THERE)


def _is_gone(error: BaseException) -> bool:
    if isinstance(error, ConnectionError) or not_connected(error) is not None:
        return True
    return isinstance(error, Exception) and has_lost_connection(error)


def away_in(error: BaseException) -> NotConnected | None:
    """That no server was there, if that is why it failed: not that it has refused us."""
    found = not_connected(error)
    return found if found is not None and is_away(found.__cause__ or found) else None


def not_connected(error: BaseException) -> NotConnected | None:
    """The innermost of those that are among the causes of an error."""
    inner = None if error.__cause__ is None else not_connected(error.__cause__)
    return inner or (error if isinstance(error, NotConnected) else None)


def let_run_again(context: ExceptionContext) -> None:
    """Listens to `handle_error`: with this its request runs again (will_pass in errors.py).

    Not where there was no connection: the session looks for another (above).
    """
    if context.connection is None or not gives_way(context.original_exception):
        return
    if not context.is_disconnect:
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False


def note_promotion(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Listens to `checkin`: PostgreSQL says with each answer if it has been promoted meanwhile.

    What a new primary shows is more than any moment of the old one.
    """
    current = reader.get()
    driver = None if connection is None else connection.driver_connection
    if current is None or driver is None or driver.is_closed():
        return
    if driver.get_settings().in_hot_standby == "off":
        current.lives.add(PROMOTED)
