"""Which parameter of a statement is the value that PostgreSQL or its driver did not take."""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import DBAPIError

from plumbline.db.redaction import is_refused_by_driver, quoted_by

SMALLINT_MAX = 2**15 - 1

# Text that is not what a cast, a regular expression or a time needs, or no name of a time zone.
_WRONG_TEXT = {"22P02", "22007", "22008", "22018", "2201B", "22023"}
_NEGATIVE = {"2201W", "2201X"}  # LIMIT and OFFSET
_ENDS_IN_ESCAPE = "22025"  # LIKE
_NOT_ENCODABLE = {"22021", "22P05"}
_WRONG_IN_JSON = "22P02"
_TOO_LONG = "22001"
_OUT_OF_RANGE = "22003"
_TOO_LARGE = "54000"  # for an index or a tsvector, say
_LEAST_TOO_LARGE = 255  # characters: an index may be of several texts
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
        named = [part for value in _named_by_driver(cause, message, rows) for part in _parts(value)]
        return [part for part in named if _is_large_number(part)] or named
    state, quoted = getattr(cause, "sqlstate", None), quoted_by(cause)
    parts = [part for row in rows for value in row for part in _parts(value)]
    meant = [part for part in parts if _can_be_meant(part, state, message)]
    return [quoted] if quoted is not None and quoted in meant else meant


def _named_by_driver(cause: BaseException, message: str, rows: list[list[object]]) -> list[object]:
    """The driver says which: "invalid input for query argument $1: 7 (value out of range)"."""
    reason = type(cause.__cause__).__name__ if cause.__cause__ else message.rpartition("(")[2]
    found = re.search(r"\$(\d+)(?: in element #(\d+))?", message)
    if found is None or reason.rstrip(")") in _OUR_DEFECTS:
        return []
    number, row = int(found[1]), int(found[2] or 0)
    return rows[row][number - 1 : number] if row < len(rows) else []


def _parts(value: object) -> Iterator[object]:
    """The elements of an array; of a document, which is a parameter as JSON, what is no JSON there.

    Others as they are.
    """
    if isinstance(value, list | tuple):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, str) and value.startswith(("{", "[")):
        yield from _wrong_in_document(value) or [value]
    else:
        yield value


def _wrong_in_document(text: str) -> list[object]:
    """What PostgreSQL does not take: NUL, half surrogate pairs, infinity."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [leaf for leaf in leaves(document) if _is_wrong_in_json(leaf)]


def _is_wrong_in_json(leaf: object) -> bool:
    if isinstance(leaf, str):
        return re.search("[\0\ud800-\udfff]", leaf) is not None
    return isinstance(leaf, float) and not math.isfinite(leaf)


def leaves(document: Any) -> Iterator[object]:  # noqa: ANN401 - JSON
    """The names and the values of a JSON document."""
    if isinstance(document, dict):
        yield from document
        document = list(document.values())
    if not isinstance(document, list):
        yield document
        return
    for each in document:
        yield from leaves(each)


def _is_large_number(value: object) -> bool:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return is_number and (not isinstance(value, int) or abs(value) > SMALLINT_MAX)


def _can_be_meant(value: object, state: str | None, message: str) -> bool:
    if state == _OUT_OF_RANGE:
        return _is_large_number(value)
    if isinstance(value, str):
        return _is_wrong_text(value, state, message)
    if state in _NEGATIVE:
        return isinstance(value, int) and value < 0
    return state == _WRONG_IN_JSON and isinstance(value, float)


def _is_wrong_text(text: str, state: str | None, message: str) -> bool:
    if state == _TOO_LARGE:
        return len(text) > _LEAST_TOO_LARGE
    if state == _TOO_LONG:
        limit = re.search(r"\((\d+)\)", message)
        return limit is None or len(text) > int(limit[1])
    if state == _ENDS_IN_ESCAPE:
        return text.endswith("\\")
    if state in _NOT_ENCODABLE:
        return "\0" in text or "\\u0000" in text
    return state in _WRONG_TEXT


def _rows(error: DBAPIError) -> list[list[object]]:
    """The parameters by position; one row, or as many as a statement was executed with."""
    params: Any = error.params or ()
    rows = params if error.ismulti else [params]
    return [list(row.values() if isinstance(row, dict) else row) for row in rows]
