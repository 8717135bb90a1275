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
import re
import zlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import get_db
from app.db.temporary import kept as answers
from app.services.callers import hold, hold_alone
from plumbline.db.idempotency import HEADER, Claim
from plumbline.errors import FieldError, Invalid, Malformed
from plumbline.http.conditional_requests import read_conditions
from plumbline.http.load_shedding import MAX_ATTEMPTS
from plumbline.http.problems import ATTEMPTS_LEFT
from plumbline.http.sent import BODY
from plumbline.http.write_limit import count_write

COUNTED_METHODS = {"POST", "PATCH"}  # towards WRITE_LIMIT_PER_USER
NONCE_BYTES = 12
MIN_LENGTH, MAX_LENGTH = 16, 255  # of a key

# A string (RFC 9651) with parameters, which say nothing; or the same characters without quotes.
_STRING = r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"'
_PARAMETER = (
    rf"; *[a-z*][a-z0-9_.*-]*(?:=(?:{_STRING.replace('((', '(?:(')}|[^\x00-\x20\x7f-\xff\",;]+))?"
)
_KEY = re.compile(rf"{_STRING}(?:{_PARAMETER})*|([\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+)")
COMPRESSION = 1  # text to two thirds or less; more would take several times as long
LARGE_BYTES = 32_768  # 400 KB take some 10 ms, in which nobody else would be answered

Key = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="A random value of 16 to 255 characters, such as a UUID, with or without "
        "quotes: the same request with the same key happens once, and later ones get the first "
        "answer again.",
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
    # scope="function" commits when the route has returned and before the response leaves; by
    # default get_db would go on after it, and a failed commit would have been a 201. `keep` below
    # comes before either: Route calls it while get_db waits at its yield.
    db: Annotated[AsyncSession, Depends(get_db, scope="function")],
    _: Key = None,  # for the API document: two lines of it are read below
) -> AsyncSession:
    """The session of `get_db`, whose transaction holds the caller's log-in; with a key, once."""
    if lines := request.headers.getlist(HEADER):
        if not isinstance(request.scope["route"], Route):
            raise RuntimeError("nobody would keep the answer: make routers with resource()")
        await _claim(request, db, _read_key(lines))
    _count_write(request)
    if (caller := getattr(request.state, "user", None)) is not None:
        hold(db, caller)
    return db


async def get_account_db(
    db: Annotated[AsyncSession, Depends(get_db_once, scope="function")],
) -> AsyncSession:
    """As `get_db_once`; of one caller's transactions one runs at a time."""
    hold_alone(db)
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


async def _claim(request: Request, db: AsyncSession, secret: bytes) -> None:
    claim = Claim(_digest(secret, request), _fingerprint(secret, request))

    def replay(answer: bytes) -> NoReturn:
        raise Replay(_open(secret, answer))

    if (kept := await answers.find(claim)) is not None:
        replay(kept)
    request.state.keep = lambda response: _keep(db, claim, secret, response)
    answers.claim_at_begin(db, claim, replay)


def _read_key(lines: list[str]) -> bytes:
    """The key, which the draft of the IETF writes as a string in quotes (RFC 9651, 3.3.3).

    Without quotes it is the same key. Malformed for what is not one string; Invalid for a length
    that is not acceptable: a short key can be guessed (docs/adr/0012).
    """
    found = _KEY.fullmatch(lines[0].strip(" \t"))
    if len(lines) > 1 or found is None:
        raise Malformed(
            f'{HEADER} must be one string, as in "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e".'
        )
    quoted, bare = found.groups()
    key: str = bare or re.sub(r"\\(.)", r"\1", quoted or "")
    if not MIN_LENGTH <= len(key) <= MAX_LENGTH:
        wrong = FieldError(HEADER, "length", f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
        raise Invalid(f"Not acceptable: {HEADER}.", errors=(wrong,))
    return key.encode()


class Route(APIRoute):
    """What each answer passes: the conditions of its request (conditions.py).

    Then it is kept in the transaction of its effect, if there is a key.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            request.state.conditions = conditions = read_conditions(request)
            response = await handle(request)
            if conditions is not None:  # what fails here is rolled back: nothing is committed yet
                response = conditions.check_answer(request, response)
            if (keep := getattr(request.state, "keep", None)) is not None:
                await keep(response)
            return response

        return handle_and_keep


def _hmac(secret: bytes, purpose: str, *parts: bytes) -> bytes:
    return hmac.digest(secret, b"\0".join([purpose.encode(), *parts]), "sha256")


def _digest(secret: bytes, request: Request) -> bytes:
    """The same key of somebody else is another key."""
    user = getattr(request.state, "user", None)
    return _hmac(secret, "digest", str(user.id if user else "anonymous").encode())


def _fingerprint(secret: bytes, request: Request) -> bytes:
    scope, headers = request.scope, request.headers
    path = scope["path"].encode(errors="surrogatepass")
    what = (scope["method"].encode(), path, scope["query_string"])
    conditions = ", ".join(headers.getlist("if-match")).encode()
    if unless := headers.getlist("if-none-match"):
        conditions += b"\n" + ", ".join(unless).encode()
    return _hmac(secret, "fingerprint", *what, conditions, scope[BODY])


async def _keep(db: AsyncSession, claim: Claim, secret: bytes, response: Response) -> None:
    if len(response.body) > LARGE_BYTES:
        sealed = await asyncio.to_thread(_seal, secret, response)
    else:
        sealed = _seal(secret, response)
    await answers.keep(db, claim, sealed)


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
