"""A session that only reads: PostgreSQL refuses the rest, and here is the sentence for it.

Outside of a transaction a connection of ours only reads. So what writes or locks is
refused before it happens, however it is spelt: by the ORM, by Core, as text, in a CTE, by a
function. Who takes a connection in AUTOCOMMIT of the engine itself may write as ever.
"""

from typing import NoReturn

from sqlalchemy import Connection

OPTION = "plumbline_only_reads"  # among the execution options of a read session's connection
READING = {"isolation_level": "AUTOCOMMIT", OPTION: True}

# What a connection is told, so that it only reads outside of a transaction. RESET comes first with
# BEGIN, so that what the operator has said of the database (ALTER SYSTEM, ALTER DATABASE) holds for
# who writes. All go in a message that is sent anyway.
SETTING = "default_transaction_read_only"
# Beside what a new connection asks; not where a pooler is between, whose session may be another's.
GUARD = f", CASE WHEN pg_backend_pid() = {{}} THEN set_config('{SETTING}', 'on', false) END"
LET_WRITE = f"BEGIN;RESET {SETTING};COMMIT;"  # before BEGIN
ONLY_READ = f"SET {SETTING}=on"  # after BEGIN: for what comes after the transaction
AS_THE_DATABASE = f"RESET {SETTING}"  # for who writes in AUTOCOMMIT

READ_ONLY = "25006"  # also of a primary that has been demoted, or a standby
_NO_TRANSACTION = "25P01"  # SAVEPOINT, LOCK, DECLARE, a cursor of the server's
_INSTEAD = "take Db instead of ReadDb, or `async with AsyncSessionFactory.begin() as db`"


def is_of_a_read_session(connection: Connection) -> bool:
    """Whether a session of `read_session_factory` has it."""
    return OPTION in connection.get_execution_options()


def refuse_by_a_read_session(cause: BaseException | None = None) -> NoReturn:
    """TypeError for what needs a session that writes; `cause` is what PostgreSQL says of it."""
    words = "" if cause is None else f" ({cause})"
    raise TypeError(f"a read session stores and locks nothing: {_INSTEAD}{words}") from cause


def refuse_if_it_needs_a_transaction(state: str | None, error: BaseException) -> None:
    """TypeError for what PostgreSQL has refused to a read session, by its SQLSTATE."""
    if state == READ_ONLY:
        refuse_by_a_read_session(error)
    if state == _NO_TRANSACTION:
        refuse_transaction(error)


def refuse_transaction(cause: BaseException | None = None) -> NoReturn:
    """TypeError for what only means something in a transaction."""
    words = "" if cause is None else f" ({cause})"
    raise TypeError(f"a read session has no transaction: {_INSTEAD}{words}") from cause
