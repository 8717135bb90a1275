"""In development: which statements a request repeats, and a header that says where its time went.

A statement for each row of another one is fast with the rows of a developer, and slow with those of
production. Texts are the same whatever their values, and however many values their lists have.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.db.sql_text import is_of_a_savepoint, shape_of
from plumbline.settings import HttpSettings
from plumbline.usage import Usage, name_of, of_request

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Repeated:
    """A statement that ran `times` times; `statement` is its text without values."""

    statement: str
    times: int


@dataclass(frozen=True)
class Watched:
    """All statements of a request by their text, and those that ran too often."""

    route: str
    texts: Mapping[str, int]
    repeated: tuple[Repeated, ...]


_listeners: list[Callable[[Watched], None]] = []  # those of tests


def install_statement_watch(app: FastAPI, settings: HttpSettings) -> None:
    """Warn of statements that a request repeats; not in production, or with a maximum of 0.

    To be added before `install_load_shedding`: an attempt that runs again repeats nothing.
    """
    if settings.ENVIRONMENT != "production" and settings.MAX_STATEMENT_REPEATS:
        app.add_middleware(StatementWatch, settings.MAX_STATEMENT_REPEATS)


def install_server_timing(app: FastAPI, settings: HttpSettings) -> None:
    """Add Server-Timing to each answer, which browsers show; not in production."""
    if settings.ENVIRONMENT != "production":
        app.add_middleware(ServerTiming)


@contextmanager
def watching_requests(listener: Callable[[Watched], None]) -> Iterator[None]:
    """Tell `listener` of each request that ends meanwhile."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class StatementWatch:
    """ASGI middleware: of a request all until its answer is sent, of a websocket each message."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        used = of_request.get()
        if used.scope is None:  # no request; or RequestContextMiddleware is not there, which counts
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._watch_messages(used, scope, receive, send)
        else:
            await self._watch_request(used, scope, receive, send)

    async def _watch_request(self, used: Usage, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell_and_send(message: Message) -> None:
            # Before the end of the answer, so that who reads it knows; then background tasks run.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._tell(used, scope["method"])
            await send(message)

        used.texts = {}
        try:
            await self.app(scope, receive, tell_and_send)
        finally:
            self._tell(used, scope["method"])

    async def _watch_messages(
        self, used: Usage, scope: Scope, receive: Receive, send: Send
    ) -> None:
        async def tell_and_receive() -> Message:
            self._tell(used, "websocket")
            try:
                return await receive()
            finally:
                used.texts = {}

        async def tell_and_send(message: Message) -> None:
            self._tell(used, "websocket")
            used.texts = {}
            await send(message)

        used.texts = {}
        try:
            await self.app(scope, tell_and_receive, tell_and_send)
        finally:
            self._tell(used, "websocket")

    def _tell(self, used: Usage, method: str) -> None:
        """Once; from then on nothing is noted."""
        texts, used.texts = used.texts, None
        if not texts:
            return
        watched = Watched(f"{method} {name_of(used)}", texts, tuple(repeated(texts, self.most)))
        for each in watched.repeated:
            log.warning(
                "a request ran one statement again and again",
                route=watched.route,
                times=each.times,
                statement=each.statement,
            )
        for listener in _listeners:
            listener(watched)


def repeated(texts: Mapping[str, int], most: int) -> Iterator[Repeated]:
    """What ran more often than that."""
    if sum(texts.values()) <= most:
        return
    counts: dict[str, int] = defaultdict(int)
    for sql, times in texts.items():
        if not is_of_a_savepoint(sql):
            counts[shape_of(sql)] += times
    for statement, times in counts.items():
        if times > most:
            yield Repeated(statement, times)


class ServerTiming:
    """ASGI middleware: what of the time until the answer was the database's, or for the pool's.

    Without COMMIT, which the total has, and what comes after the head of the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        used, began = of_request.get(), perf_counter()
        if scope["type"] != "http" or used.scope is None:
            await self.app(scope, receive, send)
            return

        async def send_with_times(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (b"server-timing", _times(used, perf_counter() - began).encode())
                message["headers"] = [*(message.get("headers") or ()), header]
            await send(message)

        await self.app(scope, receive, send_with_times)


def _times(used: Usage, total_seconds: float) -> str:
    """In milliseconds, as the W3C's Server Timing has it."""
    statements = f"{used.statements} statement{'' if used.statements == 1 else 's'}"
    return (
        f'db;dur={used.statement_seconds * 1000:.1f};desc="{statements}", '
        f'pool;dur={used.waited_seconds * 1000:.1f};desc="waited for a connection", '
        f"total;dur={total_seconds * 1000:.1f}"
    )
