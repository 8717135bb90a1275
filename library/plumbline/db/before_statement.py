"""What the engine does before each statement: who may write, and the number of a transaction."""

import re
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.util import await_only

from plumbline.db.read_only import choose_access, is_of_a_read_session, refuse_by_a_read_session
from plumbline.db.session_state import apply
from plumbline.db.sql_text import effect_of, looks_like_writing

# What takes a snapshot anyway, so that asking for the number before it changes nothing. Others must
# come first in their transaction, such as SET TRANSACTION SNAPSHOT, or LOCK before its snapshot.
_TAKES_SNAPSHOT = re.compile(
    r"[\s(]*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|SAVEPOINT"
    r"|CREATE|ALTER|DROP|TRUNCATE|CALL|DO|COPY)\b",
    re.IGNORECASE,
)


def before_statement(
    connection: Connection,
    _cursor: object,
    statement: str,
    parameters: object = (),
    *_: object,
) -> None:
    """If a transaction begins with it, let it learn its number; outside, let it write or not."""
    if (effect := effect_of(statement)) is not None:
        apply(effect, connection, parameters)
    proxied: Any = connection.connection
    driver = proxied.driver_connection
    if driver.is_in_transaction():
        return
    if not proxied.dbapi_connection.autocommit:
        driver.is_numbering = _TAKES_SNAPSHOT.match(statement) is not None
        return
    is_reading = is_of_a_read_session(connection)
    if driver.owns_session:
        await_only(choose_access(driver, is_reading=is_reading))
    elif is_reading and looks_like_writing(statement):
        refuse_by_a_read_session()
