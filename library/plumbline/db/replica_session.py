"""Sessions that read from where their request may, and what happens when a replica fails them."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from plumbline.db.errors import sqlstate
from plumbline.db.reading import reader

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
        try:
            return super()._connection_for_bind(engine, *args, **options)
        except (DBAPIError, OSError) as error:
            if self.bind is None or engine is self.bind or not gives_way(error):
                raise
        return super()._connection_for_bind(self.bind, *args, **options)


def gives_way(error: BaseException) -> bool:
    """Whether a read of a replica that failed is to be done again, by the primary."""
    if (current := reader.get()) is not None:
        current.may_use_replicas = False
    is_full = isinstance(error, PoolTimeoutError)
    return not is_full and not (sqlstate(error) or "").startswith(_THE_SAME_THERE)


def let_run_again(context: ExceptionContext) -> None:
    """Listens to `handle_error`: with this its request runs again (will_pass in errors.py)."""
    if gives_way(context.original_exception) and not context.is_disconnect:
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
