"""What callers have seen travels with them: the token of read replicas (db/replicas.py).

A program sends the header of the last answer with its next request; a browser does so by itself,
with cookies. Two of them: of two requests at the same time the answer of the one that only read may
come last, and must not take the place of the one that wrote.
"""

import math
import re

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline.db.reading import Reader, Seen, parse_tokens, reader
from plumbline.db.replicas import Replicas

HEADER = "X-Consistency-Token"
COOKIE, COOKIE_OF_REPLICA = "consistency", "consistency_replica"

_COOKIES = re.compile(rf"(?:^|;)\s*(?:{COOKIE}|{COOKIE_OF_REPLICA})=([^;]*)")


def install_consistency(app: FastAPI, replicas: Replicas, *, base_url: str = "") -> None:
    """Let GET and HEAD read from `replicas`, and each caller see what they have seen before.

    https:// in `base_url` makes the cookies Secure.
    """
    app.add_middleware(ConsistencyMiddleware, replicas, is_secure=base_url.startswith("https://"))


class ConsistencyMiddleware:
    """ASGI middleware, inside of what makes a GET of each HEAD."""

    def __init__(self, app: ASGIApp, replicas: Replicas, *, is_secure: bool) -> None:
        self.app = app
        self.replicas = replicas
        # What is further behind is not read from: then all have what the token says.
        seconds = math.ceil(replicas.max_lag_seconds) + 1
        secure = "; Secure" if is_secure else ""
        self.attributes = f"; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.replicas.start()
        current = Reader(
            self.replicas.database, _needs(scope), may_use_replicas=scope["method"] == "GET"
        )

        async def send_with_token(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen = self.replicas.seen_by(current)
                if seen is not None:
                    self._tell(message, seen)
            await send(message)

        before = reader.set(current)
        try:
            await self.app(scope, receive, send_with_token)
        finally:
            reader.reset(before)

    def _tell(self, start: Message, seen: Seen) -> None:
        token = seen.token()
        cookie = f"{COOKIE_OF_REPLICA if seen.replica else COOKIE}={token}{self.attributes}"
        start["headers"] = [
            *(start.get("headers") or ()),
            (HEADER.lower().encode(), token.encode()),
            (b"set-cookie", cookie.encode()),
        ]


def _needs(scope: Scope) -> tuple[Seen, ...]:
    headers = Headers(scope=scope)
    cookies = [each for line in headers.getlist("cookie") for each in _COOKIES.findall(line)]
    return parse_tokens([*headers.getlist(HEADER), *cookies])
