"""What a request has seen, and from where it may read: read replicas (replicas.py) go by it.

Without replicas nobody sets a reader, and all reads go to the primary.
"""

import re
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import URL

if TYPE_CHECKING:
    from plumbline.db.pool import FairPool
    from plumbline.db.replica import Replica

_MOST = 20  # tokens of one request; who sends more reads from the primary
_TOKEN = re.compile(r"([0-9a-f]{8})\.([0-9]{1,18})(?:\.([0-9a-f]{8}))?")


class Seen(NamedTuple):
    """All that was committed until `moment`, in microseconds of the primary's clock.

    `primary` is that server, as long as it runs. With a `replica` it was seen there and nowhere
    else, so that one has it for certain.
    """

    primary: str
    moment: int
    replica: str = ""

    def token(self) -> str:
        """As it travels with the caller. Not signed: a forged one is a read of the primary."""
        return ".".join(map(str, self)).rstrip(".")


# Of a server that nobody knows: no replica has it, so the primary is read.
UNKNOWN = Seen("f" * 8, 0)


def parse_tokens(values: Iterable[str]) -> tuple[Seen, ...]:
    """Those of lists with commas; what is none becomes UNKNOWN, never an error."""
    tokens = [each.strip() for value in values for each in value.split(",", _MOST)]
    return tuple(map(_parse, filter(None, tokens[: _MOST + 1])))


def _parse(token: str) -> Seen:
    found = _TOKEN.fullmatch(token)
    return UNKNOWN if found is None else Seen(found[1], int(found[2]), found[3] or "")


@dataclass(slots=True)
class Reader:
    """Of one request: what its caller has seen before (`needs`), and what it sees itself."""

    database: URL  # that of the replicas: a request may use several
    needs: Sequence[Seen] = ()
    may_use_replicas: bool = False
    replica: "Replica | None" = None  # from which it reads
    reads: int = 0  # from there, also those under way; before the first it may be another
    failed: "tuple[Replica, ...]" = ()  # these have failed it
    has_waited: bool = False  # for a server that was not there
    primary: str = ""  # which was the primary when it began to read there
    lives: set[str] = field(default_factory=set)  # of the primaries that it used
    writers: int = 0  # connections to them that were not taken to read

    @property
    def may_choose(self) -> bool:
        """Whether it need not go to the primary; once it was there, it stays."""
        return self.may_use_replicas and not self.lives


reader: ContextVar[Reader | None] = ContextVar("reader", default=None)


def read_from_primary() -> None:
    """From here on this request reads from the primary: for what must be the newest.

    Without read replicas it does nothing.
    """
    if (current := reader.get()) is not None:
        current.may_use_replicas = False


def begin_again() -> None:
    """The request runs once more: nobody is told what it has read.

    What it has stored counts on, if something is. The one transaction that failed is not.
    """
    if (current := reader.get()) is not None:
        current.replica, current.reads = None, 0
        if current.writers <= 1:
            current.lives.clear()
            current.writers = 0


def note_primary(database: URL, connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Listens to `checkout` of each engine of a primary: what comes after it stays there."""
    current = reader.get()
    if current is not None and current.database == database:
        current.lives.add(connection.driver_connection.life)
        current.writers += 1


async def may_read_again(pool: "FairPool", at: "Replica | None", error: BaseException) -> bool:
    """Whether a read that failed, there or on the primary, is to be done once more."""
    return pool.replicas is not None and await pool.replicas.may_read_again(at, error)


def note_read() -> None:
    """The connection that was taken last has only read."""
    if (current := reader.get()) is not None and current.lives:
        current.writers -= 1
