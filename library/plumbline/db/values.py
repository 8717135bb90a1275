"""Which parameter of a statement is the value that PostgreSQL or its driver did not take."""

import re
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import DBAPIError

from plumbline.db.redaction import is_refused_by_driver, quoted_by

SMALLINT_MAX = 2**15 - 1

# Text that is not what a cast, a regular expression or a time needs.
_WRONG_TEXT = {"22P02", "22007", "22008", "22018", "2201B"}
_ENDS_IN_ESCAPE = "22025"  # LIKE
_NOT_ENCODABLE = {"22021", "22P05"}
_TOO_LONG = "22001"
_OUT_OF_RANGE = "22003"
# asyncpg's reasons for a value of the right type that cannot be sent; TypeError is our own defect.
_OUR_DEFECTS = {"TypeError", "AttributeError", "KeyError"}


def refused_values(error: DBAPIError, cause: BaseException) -> list[object]:
    """The parameters that can be what `error` is about; none: it is not about a parameter.

    A sequence at its end, a division by zero, an overflow in a computation are class 22 too, and
    have nothing to do with what was sent.
    """
    rows = _rows(error)
    message = str(cause.args[0]) if cause.args else ""
    if is_refused_by_driver(cause):
        return _named_by_driver(cause, message, rows)
    state, quoted = getattr(cause, "sqlstate", None), quoted_by(cause)
    meant = [value for row in rows for value in row if _can_be_meant(value, state, message)]
    return [quoted] if quoted is not None and quoted in meant else meant


def _named_by_driver(cause: BaseException, message: str, rows: list[list[object]]) -> list[object]:
    """The driver says which: "invalid input for query argument $1: 7 (value out of range)"."""
    reason = type(cause.__cause__).__name__ if cause.__cause__ else message.rpartition("(")[2]
    found = re.search(r"\$(\d+)(?: in element #(\d+))?", message)
    if found is None or reason.rstrip(")") in _OUR_DEFECTS:
        return []
    number, row = int(found[1]), int(found[2] or 0)
    return rows[row][number - 1 : number] if row < len(rows) else []


def _can_be_meant(value: object, state: str | None, message: str) -> bool:
    if state == _OUT_OF_RANGE:
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return is_number and (not isinstance(value, int) or abs(value) > SMALLINT_MAX)
    if not isinstance(value, str):
        return False
    if state == _TOO_LONG:
        limit = re.search(r"\((\d+)\)", message)
        return limit is None or len(value) > int(limit[1])
    if state == _ENDS_IN_ESCAPE:
        return value.endswith("\\")
    if state in _NOT_ENCODABLE:
        return "\0" in value or "\\u0000" in value
    return state in _WRONG_TEXT


def _rows(error: DBAPIError) -> list[list[object]]:
    """The parameters by position; one row, or as many as a statement was executed with."""
    params: Any = error.params or ()
    rows = params if error.ismulti else [params]
    return [list(row.values() if isinstance(row, dict) else row) for row in rows]
