"""Idempotency-Key: a request that is sent again with the same key happens once.

Every route that writes takes the header, by the door `Db` and by `Route`; no route does anything
for it. The second answer is the first one, byte for byte. Only successes are kept: an error means
that nothing was stored, so the same request may be tried again.

What is stored tells nothing without the key, which is not stored: digest and fingerprint are HMACs
with it, the answer is encrypted with it. A body may hold a password, an answer an access token.
"""

import asyncio
import hmac
import json
import os
import zlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import get_db
from app.http.admission import BODY, MAX_ATTEMPTS
from app.http.conditions import known_versions, unless_known
from app.http.errors import ATTEMPTS_LEFT
from app.services.idempotency import HEADER, Claim, claim_at_begin, keep_answer
from app.services.writes import count_write

COUNTED_METHODS = {"POST", "PATCH"}  # towards WRITE_LIMIT_PER_USER
NONCE_BYTES = 12
COMPRESSION = 1  # text to two thirds or less; more would take several times as long
LARGE_BYTES = 32_768  # 400 KB take some 10 ms, in which nobody else would be answered

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=16,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A random value, such as a UUID: the same request with the same key happens "
        "once, and later ones get the first answer again.",
        examples=["7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"],
    ),
]


class Replay(Exception):
    """The answer that the first request with this key got."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def on_replay(_request: Request, replay: Exception) -> Response:
    assert isinstance(replay, Replay)
    return replay.response


async def get_db_once(
    request: Request,
    db: Annotated[AsyncSession, Depends(get_db, scope="function")],
    key: Key = None,
) -> AsyncSession:
    """The session of `get_db`; with a key, one whose transaction happens once."""
    if key is not None:
        if not isinstance(request.scope["route"], Route):
            raise RuntimeError("nobody would keep the answer: make routers with resource()")
        secret = key.encode()
        claim = Claim(_digest(secret, request), _fingerprint(secret, request))
        request.state.keep = lambda response: _keep(db, claim, secret, response)

        def replay(answer: bytes) -> NoReturn:
            raise Replay(_open(secret, answer))

        claim_at_begin(db, claim, replay)
    _count_write(request)
    return db


def _count_write(request: Request) -> None:
    """Each request once, however often it is run.

    Not PUT and DELETE: whose token was stolen can end log-ins and change the password, whatever
    the thief has used up.
    """
    user = getattr(request.state, "user", None)
    is_first = request.scope.get(ATTEMPTS_LEFT, MAX_ATTEMPTS - 1) == MAX_ATTEMPTS - 1
    if user is not None and is_first and request.method in COUNTED_METHODS:
        count_write(user.id)


class Route(APIRoute):
    """What each answer passes: it is kept in the transaction of its effect, if there is a key.

    And it is not sent when the caller has it already.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            known = known_versions(request) if request.method == "GET" else None
            response = await handle(request)
            if (keep := getattr(request.state, "keep", None)) is not None:
                await keep(response)
            return unless_known(known, response)

        return handle_and_keep


def _hmac(secret: bytes, purpose: str, *parts: bytes) -> bytes:
    return hmac.digest(secret, b"\0".join([purpose.encode(), *parts]), "sha256")


def _digest(secret: bytes, request: Request) -> bytes:
    """The same key of somebody else is another key."""
    user = getattr(request.state, "user", None)
    return _hmac(secret, "digest", str(user.id if user else "anonymous").encode())


def _fingerprint(secret: bytes, request: Request) -> bytes:
    scope = request.scope
    what = (scope["method"].encode(), scope["path"].encode(), scope["query_string"])
    conditions = request.headers.get("if-match", "").encode()
    return _hmac(secret, "fingerprint", *what, conditions, scope[BODY])


async def _keep(db: AsyncSession, claim: Claim, secret: bytes, response: Response) -> None:
    if len(response.body) > LARGE_BYTES:
        sealed = await asyncio.to_thread(_seal, secret, response)
    else:
        sealed = _seal(secret, response)
    await keep_answer(db, claim, sealed)


def _seal(secret: bytes, response: Response) -> bytes:
    """Compressed before it is encrypted, since afterwards it cannot be."""
    headers = [
        [name.decode("latin-1"), value.decode("latin-1")] for name, value in response.raw_headers
    ]
    head = json.dumps([response.status_code, headers]).encode()  # one line
    answer = zlib.compress(b"%b\n%b" % (head, bytes(response.body)), COMPRESSION)
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_hmac(secret, "answer")).encrypt(nonce, answer, None)


def _open(secret: bytes, sealed: bytes) -> Response:
    nonce, sealed = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    answer = AESGCM(_hmac(secret, "answer")).decrypt(nonce, sealed, None)
    if answer.startswith(b"["):  # kept by an older version, which is gone IDEMPOTENCY_SECONDS later
        status, headers, text = json.loads(answer)
        body = text.encode("latin-1")
    else:
        head, _, body = zlib.decompress(answer).partition(b"\n")
        status, headers = json.loads(head)
    response = Response(body, status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers
    ]
    return response
