"""A connection that makes a span of each statement, for services that make traces.

At the driver, which all statements pass: those of sessions, compiled ones, BEGIN, COMMIT and
ROLLBACK. Which class a connection has is decided when it is opened, so a service without traces
pays nothing.

A span has the text of the statement without its literals, and of an error its type and SQLSTATE:
no values, which are somebody's.
"""

import re
from collections.abc import Awaitable, Callable, Generator
from functools import cache, lru_cache, wraps
from typing import Any, NamedTuple, TypeVar

from asyncpg.cursor import Cursor, CursorFactory
from asyncpg.prepared_stmt import PreparedStatement
from opentelemetry.trace import SpanKind

from plumbline.db.connection import Connection
from plumbline.db.redaction import WITHHELD
from plumbline.db.sql_text import LONGEST_KEPT, without_values
from plumbline.tracing import begin, fail, is_recording

LONGEST_TEXT = 2_000  # of a statement in a span, in characters

_TARGET = re.compile(
    r'\b(?:FROM|INTO|UPDATE|JOIN|TABLE)\s+(?:ONLY\s+)?((?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))?)',
    re.IGNORECASE,
)
_FIRST = re.compile(r"\w+")

T = TypeVar("T")
Method = Callable[..., Awaitable[Any]]


class _Described(NamedTuple):
    name: str
    text: str


def describe(sql: str) -> _Described:
    """What a span says of it: `SELECT books`, and the text without values."""
    is_kept = len(sql) <= LONGEST_KEPT
    return _describe(sql) if is_kept else _describe.__wrapped__(sql)


@lru_cache(maxsize=1000)
def _describe(sql: str) -> _Described:
    text = without_values(sql)
    if text is None:
        return _Described("SQL", WITHHELD)
    verb, target = _FIRST.search(text), _TARGET.search(text)
    name = verb[0].upper() if verb else "SQL"
    shown = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    return _Described(f"{name} {target[1]}" if target else name, shown)


async def _in_span(connection: Any, sql: str, work: Awaitable[T]) -> T:  # noqa: ANN401 - for asyncpg's own
    """Nothing else is under it, so it is not made the current one, which would cost as much."""
    described, address = describe(sql), connection._addr  # noqa: SLF001 - told by nothing else
    attributes = {
        "db.system.name": "postgresql",
        "db.query.text": described.text,
        "server.address": address if isinstance(address, str) else address[0],
    }
    span = begin(described.name, attributes, SpanKind.CLIENT)
    try:
        return await work
    except BaseException as error:
        if span is not None:
            fail(span, error)
            if state := getattr(error, "sqlstate", None):
                span.set_attribute("db.response.status_code", str(state))
        raise
    finally:
        if span is not None:
            span.end()


def _traced(name: str) -> Any:  # noqa: ANN401 - as the method
    """Of a connection: its first argument is the SQL."""

    async def run(self: Any, query: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        method = getattr(super(TracedConnection, self), name)
        work = method(query, *args, **options)
        return await (_in_span(self, query, work) if is_recording() else work)

    return run


def _traced_prepared(method: Method) -> Any:  # noqa: ANN401 - as the method
    @wraps(method)
    async def run(self: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        work = method(self, *args, **options)
        return await (
            _in_span(self._connection, self.get_query(), work) if is_recording() else work
        )

    return run


class _Opening:
    """A cursor that is about to be opened: the statement begins then."""

    def __init__(self, connection: object, sql: str, factory: CursorFactory) -> None:
        self._connection = connection
        self._sql = sql
        self._factory = factory

    def __await__(self) -> Generator[Any, None, Cursor]:
        return self._open().__await__()

    def __aiter__(self) -> Any:  # noqa: ANN401 - asyncpg's
        return self._factory.__aiter__()

    async def _open(self) -> Cursor:
        return await _in_span(self._connection, self._sql, self._factory)


class TracedStatement(PreparedStatement):
    """What sessions run; SQLAlchemy keeps it, so it is prepared once."""

    __slots__ = ()
    _connection: Connection
    fetch = _traced_prepared(PreparedStatement.fetch)
    fetchval = _traced_prepared(PreparedStatement.fetchval)
    fetchrow = _traced_prepared(PreparedStatement.fetchrow)
    fetchmany = _traced_prepared(PreparedStatement.fetchmany)
    executemany = _traced_prepared(PreparedStatement.executemany)

    def cursor(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        opening = super().cursor(*args, **options)
        return _Opening(self._connection, self.get_query(), opening)


class TracedConnection(Connection):
    """See the module."""

    __slots__ = ()
    executemany = _traced("executemany")
    fetch = _traced("fetch")
    fetchval = _traced("fetchval")
    fetchrow = _traced("fetchrow")
    fetchmany = _traced("fetchmany")

    async def execute(self, query: str, *args: Any, **options: Any) -> str:  # noqa: ANN401 - asyncpg's
        work = super().execute(query, *args, **options)
        if self._send is not None or not is_recording():  # BEGIN or COMMIT: see below
            return await work
        return await _in_span(self, query, work)

    async def begin(self, query: str = "BEGIN;", along: str = "") -> str:
        work = super().begin(query, along)
        return await (_in_span(self, query + along, work) if is_recording() else work)

    async def commit(self, query: str = "COMMIT;") -> str:
        work = super().commit(query)
        return await (_in_span(self, query, work) if is_recording() else work)

    async def prepare(self, query: str, **options: Any) -> Any:  # noqa: ANN401 - asyncpg's
        """Asks the server, when it is new to it: a wrong statement fails here."""
        made = await _in_span(self, f"PREPARE {query}", super().prepare(query, **options))
        return TracedStatement(self, query, made._state)  # noqa: SLF001


@cache
def traced(kind: type[Connection]) -> type[Connection]:
    """The same kind of connection, with spans."""
    return type(f"Traced{kind.__name__}", (TracedConnection, kind), {"__slots__": ()})
