"""What resources share: types of their fields, patches, the headers of what is answered."""

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from plumbline.http.routing import MAX_ID, Payload, created, tagged
from plumbline.text import OneLine

__all__ = ["BigInt", "Id", "Ids", "JsonObject", "Line", "Patch", "created", "tagged"]

_MAX_DEPTH = 32  # of JSON: how deep objects and lists may be within each other


class Patch(Payload):
    """A body whose fields may be absent: `class BookUpdate(Patch, BookCreate)`.

    Absent fields stay as they are: read `changes()`, since their attributes say None.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - pydantic's
        """No field is required any more, and none has a default in the document."""
        super().__pydantic_init_subclass__(**options)
        for field in cls.model_fields.values():
            field.default_factory, field.default = _absent, ...
        cls.model_rebuild(force=True)

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


def _absent() -> None:
    return None


def _in_order(ids: list[int]) -> list[int]:
    """Each once; rows are locked in this order, so that two requests do not wait in a circle."""
    return sorted({*ids})


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """As PostgreSQL stores it, and JSON has it."""
    for each, depth in _parts(value, 1):
        if depth > _MAX_DEPTH:
            raise ValueError(f"must not be deeper than {_MAX_DEPTH} levels")
        if isinstance(each, float) and not math.isfinite(each):
            raise ValueError("must not contain numbers that are out of range")
        if isinstance(each, str) and ("\0" in each or not _is_text(each)):
            raise ValueError("must not contain NUL or half surrogate pairs")
    return value


def _parts(value: Any, depth: int) -> Iterator[tuple[Any, int]]:  # noqa: ANN401 - JSON
    """Everything in it, keys too, each with how deep it is."""
    yield value, depth
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key in value:
            yield key, depth
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _parts(each, depth + 1)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# The id of another row, and of some.
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Ids = Annotated[list[Id], Field(max_length=100), AfterValidator(_in_order)]
# A text of an array, such as a tag.
Line = Annotated[str, Field(max_length=200), OneLine]
# What PostgreSQL's bigint holds.
BigInt = Annotated[int, Field(ge=-MAX_ID - 1, le=MAX_ID)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
