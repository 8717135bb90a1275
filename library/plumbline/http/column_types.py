"""What callers may send for a value of a column: in a cursor, and as a filter in a URL."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, FiniteFloat
from sqlalchemy import BigInteger, DateTime, Enum, Float, Integer, Numeric, SmallInteger, String
from sqlalchemy.orm import InstrumentedAttribute

from plumbline.db.keyset import stored_column
from plumbline.http.routing import MAX_ID, Number

_WHOLE = re.compile("0|-?[1-9][0-9]{0,18}")


def type_of(column: InstrumentedAttribute[Any]) -> Any:  # noqa: ANN401 - a type
    """As JSON has it."""
    kind = column.type
    if isinstance(kind, Integer):
        wide = 63 if isinstance(kind, BigInteger) else 31
        bits = 15 if isinstance(kind, SmallInteger) else wide
        return Annotated[int, Field(ge=-(2**bits), lt=2**bits)]
    if isinstance(kind, DateTime) and kind.timezone:
        return AwareDatetime
    return kind.python_type


def filter_type(column: InstrumentedAttribute[Any]) -> Any:  # noqa: ANN401 - a type
    """As a parameter in a URL has it: within the bounds of the column, in one spelling."""
    found: Any = type_of(column)
    match column.type:
        case Integer() if stored_column(column).foreign_keys:
            found = Annotated[int, Field(ge=1, le=MAX_ID), Number]
        case Integer():
            found = Annotated[found, BeforeValidator(_whole_number)]
        case Enum(enum_class=None, enums=labels):
            found = Literal[tuple(labels)]
        case Float():
            found = FiniteFloat
        case Numeric():
            found = Annotated[Decimal, Field(allow_inf_nan=False)]
        case Enum():
            pass
        case String(length=int(length)):
            found = Annotated[str, Field(max_length=length)]
    return found


def _whole_number(value: object) -> object:
    """As `Number`, below 1 too."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("must be a number, written in digits alone")
    return value
