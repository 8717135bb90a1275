"""The default of a field, as somebody types it: `pages:int:default(0)`."""

import re
from contextlib import suppress
from datetime import date
from decimal import Decimal

_SHAPES = {
    "str": r"[A-Za-z0-9_.+-][A-Za-z0-9_.+ -]{0,49}|",
    "text": r"[A-Za-z0-9_.+-][A-Za-z0-9_.+ -]{0,49}|",
    "enum": ".+",
    "int": r"0|-?[1-9][0-9]{0,17}",
    "decimal": r"-?[0-9]{1,38}(\.[0-9]{1,38})?",
    "float": r"-?[0-9]{1,15}(\.[0-9]{1,15})?",
    "bool": "true|false",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
}
_WANTED = {
    "int": "a number as 0 or -1",
    "float": "a number as 0.5",
    "bool": "true or false",
    "date": "a day as 2026-01-31",
}
_WORDS = "letters, digits, `_.+-` and blanks, up to 50"


def fault_of_default(kind: str, arguments: tuple[str, ...], length: int, value: str) -> str | None:
    """What is wrong with it, for a field of this type; `length` is the most of a text."""
    if kind not in _SHAPES:
        return f"{kind} takes no :default: make it optional"
    if re.fullmatch(_SHAPES[kind], value) is None:
        return f"the default of {kind} is {_WANTED.get(kind, _WORDS)}"
    if kind == "enum" and value not in arguments:
        return f"the default is one of {', '.join(arguments)}"
    if kind == "decimal" and not _fits(value, *map(int, arguments)):
        return "the default has as many digits as the field keeps"
    if kind in {"str", "text"} and len(value) > length:
        return f"the default is at most {length} characters long"
    return "there is no such day" if kind == "date" and not _is_day(value) else None


def default_in_python(kind: str, value: str) -> str:
    """The expression in a request."""
    match kind:
        case "int" | "float":
            return value
        case "bool":
            return value.title()
        case "decimal":
            return f'Decimal("{value}")' if "." in value else f"Decimal({int(value)})"
        case "date":
            return repr(date.fromisoformat(value)).removeprefix("datetime.")
    return f'"{value}"'


def _fits(value: str, digits: int, places: int) -> bool:
    _, kept, exponent = Decimal(value).as_tuple()
    assert isinstance(exponent, int)
    return -exponent <= places and max(len(kept) + exponent, 0) <= digits - places


def _is_day(value: str) -> bool:
    with suppress(ValueError):
        date.fromisoformat(value)
        return True
    return False
