"""What every mapped class gets, however its columns are written: what is changed is stored.

- Values of JSON, ARRAY and HSTORE tell of a change in place (tracking.py).
- A value that Python calls equal, and PostgreSQL does not, is a change: `1` and `true`.
- `update()` moves the version of a versioned class.
- A time has a zone: without one the driver takes it for the local time of the process.
- A number has the digits that its column keeps, at once: PostgreSQL rounds what is stored, and the
  object would answer with what is not.
"""

import struct
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnDefault,
    DateTime,
    Float,
    Interval,
    Numeric,
    PickleType,
    event,
)
from sqlalchemy.dialects.postgresql import HSTORE
from sqlalchemy.ext.mutable import Mutable
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.types import ARRAY, REAL, TypeDecorator, TypeEngine

from plumbline.db.tracking import Place, TrackedDict, TrackedList, identical, tracked

Keep = Callable[[Any, str, Any], Any]  # object, key, value: what the attribute has then

CONTAINERS = (JSON, ARRAY, HSTORE)
_EXACT = Context(prec=1100, rounding=ROUND_HALF_UP)  # as PostgreSQL, which keeps 1,000 digits
_SINGLE_BITS = 24  # the precision up to which PostgreSQL's FLOAT is a REAL


def underlying(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that PostgreSQL has, below TypeDecorators: SQLAlchemy has two of its own."""
    while isinstance(type_, TypeDecorator) and not isinstance(type_, Interval | PickleType):
        type_ = type_.impl_instance
    return type_


@event.listens_for(Mapper, "after_mapper_constructed")
def _count_up(mapper: Mapper[Any], _: object) -> None:
    """`update()` moves the version as a flush does, unless it says one itself."""
    version = mapper.version_id_col
    if isinstance(version, Column) and version.onupdate is None:
        version.onupdate = ColumnDefault(version + 1, for_update=True)


@event.listens_for(Mapper, "mapper_configured")
def _watch(mapper: Mapper[Any], class_: type[Any]) -> None:
    _count_up(mapper, class_)  # again, for one that was made before the library was imported
    keepers: dict[str, Keep] = {}
    for each in mapper.column_attrs:
        attribute, type_ = getattr(class_, each.key), underlying(each.columns[0].type)
        if isinstance(type_, (*CONTAINERS, Numeric)) and not isinstance(type_, Float):
            attribute.impl.is_equal = identical
        if (keep := _keeper(type_)) is not None:
            if keep is not _require_zone:  # what comes from the database has one
                keepers[each.key] = keep
            event.listen(attribute, "set", _setter(each.key, keep), retval=True, raw=True)
    if keepers:
        _listen(class_, keepers)


def _keeper(type_: TypeEngine[Any]) -> Keep | None:
    if isinstance(type_, CONTAINERS):
        return _track
    if isinstance(type_, DateTime):
        return _require_zone if type_.timezone else None
    if isinstance(type_, REAL) or (isinstance(type_, Float) and _is_single(type_)):
        return _single
    if isinstance(type_, Numeric) and type_.scale is not None and not isinstance(type_, Float):
        return _rounder(type_.scale, is_decimal=bool(type_.asdecimal))
    return None


def _is_single(type_: Float[Any]) -> bool:
    return type_.precision is not None and type_.precision <= _SINGLE_BITS


def _setter(key: str, keep: Keep) -> Callable[..., Any]:
    def set_(state: InstanceState[Any], value: object, _old: object, _by: object) -> object:
        kept = keep(state.obj(), key, value)
        if isinstance(kept, TrackedDict | TrackedList) and kept is not value:
            kept.place.remember(value)
        return kept

    return set_


def _listen(class_: type[Any], keepers: dict[str, Keep]) -> None:
    """For what comes from the database, or from a default."""

    def adopt(state: InstanceState[Any], *_: object) -> None:
        values, owner = state.dict, state.obj()
        for key, keep in keepers.items():
            if values.get(key) is not None:
                values[key] = keep(owner, key, values[key])

    def check(_mapper: object, _connection: object, owner: object) -> None:
        for key in keepers:
            _check(owner, key, vars(owner).get(key))

    event.listen(class_, "before_insert", check)
    event.listen(class_, "before_update", check)
    for name in ("load", "refresh", "refresh_flush", "unpickle"):
        event.listen(class_, name, adopt, raw=True)


def _check(owner: object, key: str, value: object) -> None:
    """Before it is stored."""
    if isinstance(value, TrackedDict | TrackedList):
        value.place.check()
    elif isinstance(value, Mutable):
        name, kind = f"{type(owner).__name__}.{key}", type(value).__name__
        raise TypeError(
            f"{name}: {kind} sees its first level alone: leave it out, since every JSON and ARRAY "
            "column is tracked whole"
        )


def _track(owner: object, key: str, value: object) -> object:
    """Without a copy of what is this attribute's already."""
    if isinstance(value, TrackedDict | TrackedList):
        place = value.place
        if place.owner is owner and place.key == key:
            return value
    if type(value).__hash__ is None and not isinstance(value, dict | list):
        name, kind = f"{type(owner).__name__}.{key}", type(value).__name__
        raise TypeError(
            f"{name}: a {kind} can change unseen: make it frozen, or give a dict or list"
        )
    return tracked(value, Place(owner, key))


def _require_zone(owner: object, key: str, value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        name = f"{type(owner).__name__}.{key}"
        raise TypeError(
            f"{name}: a time without a zone is another one on each machine: give it one"
        )
    return value


def _single(_owner: object, _key: str, value: object) -> object:
    if not isinstance(value, int | float):
        return value
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:  # PostgreSQL refuses it
        return value


def _rounder(scale: int, *, is_decimal: bool) -> Keep:
    unit = Decimal((0, (1,), -scale))

    def round_(_owner: object, _key: str, value: object) -> object:
        number = _decimal(value)
        if number is None or not number.is_finite():
            return value
        rounded = number.quantize(unit, context=_EXACT)
        rounded = abs(rounded) if rounded.is_zero() else rounded
        return rounded if is_decimal else float(rounded)

    return round_


def _decimal(value: object) -> Decimal | None:
    """As the driver writes it; None for what is no number, such as an expression."""
    if not isinstance(value, Decimal | float | int | str):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:  # PostgreSQL refuses it
        return None
