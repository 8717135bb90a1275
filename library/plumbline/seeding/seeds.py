"""What a service says of its development data; the rest is made from its tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Draw:
    """What a row is made with: its number in the table, from 1 on, and chance that can be repeated.

    `person` gives a first and a last name.
    """

    number: int
    random: Random
    person: Callable[[], tuple[str, str]]


@dataclass(frozen=True)
class Seeds:
    """`rows` makes the columns of a table that a generator cannot know, the same ones each time.

    Tables in `left_out` stay empty. `told` is said at the end, as who can log in.
    """

    rows: Mapping[str, Callable[[Draw], Row]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    told: str = ""
