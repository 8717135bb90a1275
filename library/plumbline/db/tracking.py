"""Dicts and lists of a JSON or ARRAY column that tell of each change, however deep it is.

SQLAlchemy sees that an attribute is set, not that its value is changed in place; its own
MutableDict sees the first level. What is put in is copied; where the original is changed before the
copy is stored, that is refused.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from decimal import Decimal
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy.orm.attributes import flag_modified

F = TypeVar("F", bound=Callable[..., Any])


class Place:
    """The attribute whose value it is. It holds its object, which so lives as long as the value."""

    __slots__ = ("_given", "key", "owner")

    def __init__(self, owner: object, key: str) -> None:
        self.owner = owner
        self.key = key
        self._given: list[tuple[object, object]] = []  # what was put in, and as it was then

    def change(self) -> None:
        """InvalidRequestError where the attribute has been expired meanwhile."""
        flag_modified(self.owner, self.key)

    def take(self, value: object) -> Any:  # noqa: ANN401 - as the value
        """A copy of what somebody puts in."""
        self.remember(value)
        return tracked(value, self)

    def remember(self, value: object) -> None:
        """What somebody has put in."""
        if isinstance(value, dict | list) and not isinstance(value, TrackedDict | TrackedList):
            self._given.append((value, deepcopy(value)))

    def check(self) -> None:
        """Before it is stored: TypeError if somebody has changed the original."""
        given, self._given = self._given, []
        if not all(identical(original, then) for original, then in given):
            name = f"{type(self.owner).__name__}.{self.key}"
            raise TypeError(
                f"{name} has a copy of what it was given, and that was changed afterwards: change "
                f"{name} itself, or give it the value when that is ready"
            )


def tracked(value: object, place: Place) -> Any:  # noqa: ANN401 - as the value
    """A copy that tells `place` of its changes; what cannot be changed as it is."""
    if isinstance(value, dict):
        return TrackedDict(value, place)
    return TrackedList(value, place) if isinstance(value, list | tuple) else value


def _changing(method: F) -> F:
    """Of dict or list: the same, and tell."""

    @wraps(method)
    def change(self: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the method
        given = method(self, *args, **options)
        self.place.change()
        return given

    return change  # type: ignore[return-value]


class TrackedDict(dict[Any, Any]):
    """A dict; a copy of it (pickle, `copy`, `deepcopy`) is a plain one."""

    __slots__ = ("place",)

    def __init__(self, values: Mapping[Any, Any], place: Place) -> None:
        super().__init__({key: tracked(value, place) for key, value in values.items()})
        self.place = place

    @_changing
    def __setitem__(self, key: object, value: object) -> None:
        super().__setitem__(key, self.place.take(value))

    def update(self, *args: Any, **values: Any) -> None:  # noqa: ANN401 - as dict's
        for key, value in dict(*args, **values).items():
            self[key] = value

    def __ior__(self, other: Any) -> "TrackedDict":  # type: ignore[misc] # noqa: ANN401, PYI034
        self.update(other)
        return self

    def setdefault(self, key: object, default: object = None) -> Any:  # noqa: ANN401 - as dict's
        if key not in self:
            self[key] = default
        return self[key]

    __delitem__ = _changing(dict.__delitem__)
    clear = _changing(dict.clear)
    pop = _changing(dict.pop)
    popitem = _changing(dict.popitem)

    def __reduce__(self) -> tuple[type[dict[Any, Any]], tuple[dict[Any, Any]]]:
        return dict, (dict(self),)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)


class TrackedList(list[Any]):
    """A list; a copy of it (pickle, `copy`, `deepcopy`) is a plain one."""

    __slots__ = ("place",)

    def __init__(self, values: Iterable[Any], place: Place) -> None:
        super().__init__(tracked(value, place) for value in values)
        self.place = place

    @_changing
    def __setitem__(self, index: Any, value: Any) -> None:  # noqa: ANN401 - an index or a slice
        if isinstance(index, slice):
            value = [self.place.take(each) for each in value]
        else:
            value = self.place.take(value)
        super().__setitem__(index, value)

    def append(self, value: object) -> None:
        self[len(self) :] = [value]

    def extend(self, values: Iterable[Any]) -> None:
        self[len(self) :] = values

    def insert(self, index: Any, value: object) -> None:  # noqa: ANN401 - SupportsIndex
        self[index:index] = [value]

    def __iadd__(self, values: Iterable[Any]) -> "TrackedList":  # type: ignore[misc] # noqa: PYI034
        self.extend(values)
        return self

    __delitem__ = _changing(list.__delitem__)
    __imul__ = _changing(list.__imul__)
    clear = _changing(list.clear)
    pop = _changing(list.pop)
    remove = _changing(list.remove)
    reverse = _changing(list.reverse)
    sort = _changing(list.sort)

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)

    def __copy__(self) -> list[Any]:
        return list(self)


def identical(one: object, other: object) -> bool:
    """Whether both are stored as the same: 1, 1.0 and True are equal to Python alone."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(
            identical(one_key, other_key) and identical(one[one_key], other[other_key])
            for one_key, other_key in zip(one, other, strict=True)
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, Decimal | float):  # 1.0 and 1.00, 0.0 and -0.0
        return str(one) == str(other)
    return one is other or bool(one == other)
