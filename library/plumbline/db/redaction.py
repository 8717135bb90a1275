"""What an error of the database may say where people's data must not appear: in production.

PostgreSQL and asyncpg quote values: "Key (email)=(ada@example.com) already exists", "invalid input
for query argument $1: 'ada@example.com'". `redact` changes the errors themselves, so it holds
wherever they are printed: the log, a tracker of errors, a trace. What stays are names: of columns,
constraints and types, and the statement unless it holds literals.
"""

import re

import asyncpg
from sqlalchemy.exc import DBAPIError, StatementError

WITHHELD = "(withheld)"

# Text that a function of the database has composed (RAISE), out of whatever it likes.
_WRITTEN_BY_FUNCTIONS = {"pl_exec.c", "plpy_elog.c", "plperl.c", "pltcl.c"}
_QUOTED = re.compile(r"[\"'«»„“”](.*)[\"'«»„“”]", re.DOTALL)
_QUOTES_VALUES = ("22", "42601")  # wrong values, and syntax errors, which quote the SQL
# A literal, a comment, or a long number: what somebody has written into the SQL.
_LITERAL = re.compile(r"'|\$\w*\$|--|/\*|\b\d{5,}\b")
# Of a DETAIL such as: Key (lower(email))=(ada@example.com) already exists.
_KEY = re.compile(r"\((.*?)\)(?:=\(|$)", re.DOTALL)
_KEYED = {"23505", "23503", "23001", "23P01"}


def key_of(detail: str | None) -> str | None:
    """The columns or expressions of the key that a DETAIL is about, without their values."""
    found = _KEY.search(detail or "")
    return found[1] if found else None


def quoted_by(error: BaseException) -> str | None:
    """The value that the message quotes; kept beside it where it has been taken out."""
    if "quoted" in error.__dict__:
        return str(error.__dict__["quoted"])
    found = _QUOTED.search(str(error.args[0]) if error.args else "")
    return found[1] if found else None


def redact(error: StatementError) -> None:
    """Take the values out of `error` and of what caused it."""
    original = error.orig
    driver_error = getattr(original, "__cause__", None)
    if isinstance(error, DBAPIError) and original is not None:
        message = _redact_driver(driver_error or original)
        original.args = (message,)
        original.__dict__["detail"] = None
    else:  # a value that a column's type did not take
        message = WITHHELD
        if original is not None:
            original.args = (message,)
    kind = type(original)
    error.args = (f"({kind.__module__}.{kind.__name__}) {message}",)
    if error.statement and _LITERAL.search(error.statement):
        error.statement = WITHHELD


def _redact_driver(error: BaseException) -> str:
    message, quoted = _safe_message(error), quoted_by(error)
    if quoted is not None:
        error.__dict__["quoted"] = quoted
    error.args = (message,)
    if isinstance(error, asyncpg.PostgresError):
        key = key_of(error.detail) if error.sqlstate in _KEYED else None
        vars(error).update(message=message, hint=None, context=None, internal_query=None)
        vars(error)["detail"] = f"Key ({key})" if key else None
        if is_refused_by_driver(error):  # its cause quotes the value too
            error.__cause__ = None
            error.__suppress_context__ = True
    return message


def _safe_message(error: BaseException) -> str:
    message = str(error.args[0]) if error.args else ""
    if is_refused_by_driver(error):
        reason = type(error.__cause__).__name__
        return f"{message.partition(':')[0]} ({reason})"
    if isinstance(error, asyncpg.PostgresError):
        if error.server_source_filename in _WRITTEN_BY_FUNCTIONS:
            return WITHHELD
        if (error.sqlstate or "").startswith(_QUOTES_VALUES):
            return _QUOTED.sub(WITHHELD, message)
    return message


def is_refused_by_driver(error: BaseException) -> bool:
    """Whether asyncpg itself did not take a value: its error has PostgreSQL's class, no answer."""
    return isinstance(error, asyncpg.DataError) and error.severity is None
