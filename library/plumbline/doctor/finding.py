"""What a rule says of a line."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """What becomes of the service, the worst last."""

    HAZARD = 1
    INSECURE = 2
    STOPS_THE_SERVICE = 3
    LOSES_DATA = 4

    @property
    def words(self) -> str:
        """As in "loses data"."""
        return self.name.lower().replace("_", " ")

    @property
    def option(self) -> str:
        """As it is typed: "loses-data"."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Place:
    """Lines count from 1, columns from 0 in characters; the end is the first column after it."""

    line: int
    column: int
    end_line: int
    end_column: int


NOWHERE = Place(0, 0, 0, 0)  # of what has a name and no line: a table, a session, an engine


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `text` in place of what is at `place`."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, at its place in a file; `path` is relative to the project's folder.

    Where its place is NOWHERE, `path` names an object, such as the column `public.orders.paid_at`.
    """

    code: str
    severity: Severity
    path: str
    place: Place
    message: str
    edit: Edit | None = None

    @property
    def is_in_a_file(self) -> bool:
        return self.place != NOWHERE
