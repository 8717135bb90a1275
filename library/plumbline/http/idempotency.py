"""Idempotency-Key: a request that is sent again with the same key happens once.

Every route that writes takes the header, by the session of `idempotent` and by `ApiRoute`; no route
does anything for it. The second answer is the first one, byte for byte. Only successes are kept: an
error means that nothing was stored, so the same request may be tried again.

The order: the key is claimed with the first statement of the transaction, the route does its work,
the answer is stored in the same transaction (`_handle_and_keep` in routing.py), the transaction
commits, the response leaves.

What is stored tells nothing without the key, which is not stored: digest and fingerprint are HMACs
with it, the answer is encrypted with it. A body may hold a password, an answer an access token.
"""

import asyncio
import hmac
import json
import os
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID
from weakref import WeakSet

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from python_multipart.multipart import parse_options_header
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers

from plumbline.db.idempotency import HEADER, Claim, IdempotencyStore
from plumbline.errors import AppError, FieldError, Invalid, Malformed
from plumbline.http.routing import ApiRoute, state_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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

# Gives whose a key is: what tells callers apart, as the id of a user does.
FindCaller = Callable[[Request], str | int | UUID]

NOT_KEPT = (
    "nobody would keep the answer: make its router with route_class=ApiRoute, or with resource() "
    "(plumbline/http/routing.py)"
)
STREAMED = (
    f"This route streams its answer, which nobody can keep: send the request without {HEADER}."
)
WHOSE = (
    "idempotent() must know whose a key is, or callers would get each other's answers: give it "
    "caller=principal_id, a function that finds the id, or caller=everybody where all may share"
)

_made: WeakSet[Callable[..., object]] = WeakSet()  # what `idempotent` has given


class Replay(Exception):
    """The answer that the first request with this key got; an exception, so that it rolls back."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def install_idempotency(app: FastAPI) -> None:
    """Make `Replay` an answer; to be called when the application has its routes.

    RuntimeError for a route that takes a key and would not keep the answer.
    """
    app.add_exception_handler(Replay, _on_replay)
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        is_kept = isinstance(route, ApiRoute) or not isinstance(route, APIRoute)
        if not is_kept and not _made.isdisjoint(_calls(context.dependant)):
            where = f"{sorted(context.methods or ())} {context.path}"
            raise RuntimeError(f"{where} takes a key, and {NOT_KEPT}")


def _calls(dependant: Dependant) -> Iterator[Callable[..., object]]:
    """All functions that FastAPI runs for a route."""
    if dependant.call is not None:
        yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)


async def _on_replay(_request: Request, replay: Exception) -> Response:
    assert isinstance(replay, Replay)
    return replay.response


def principal_id(request: Request) -> int:
    """A `caller` for `idempotent`: the principal that a check of the service has set."""
    if (principal := state_of(request.scope).principal) is None:
        raise RuntimeError(
            f"nobody has said whose the {HEADER} is: let a check that runs before the session set "
            "state_of(request.scope).principal"
        )
    return principal.id


def everybody(_request: Request) -> str:
    """A `caller` for `idempotent`: all callers share their keys.

    Who sends another's key with the same request gets the answer to it, and stores nothing.
    """
    return "anonymous"


def idempotent(
    get_db: Callable[[], AsyncIterator[AsyncSession]],
    store: IdempotencyStore,
    caller: FindCaller | None = None,
    prepare: Callable[[Request, AsyncSession], None] | None = None,
) -> Callable[..., Awaitable[AsyncSession]]:
    """A dependency that gives the session of `get_db`: with a key, its transaction happens once.

    `caller` finds whose a key is; the same key of two callers is two keys. TypeError without it.
    `prepare` is called with each session, after a request that is repeated has been answered.
    """
    if caller is None:
        raise TypeError(WHOSE)

    async def get_db_once(
        request: Request,
        # scope="function" commits when the route has returned and before the response leaves; by
        # default get_db would go on after it, and a failed commit would have been a 201. The
        # answer is stored before either (routing.py), while get_db waits at its yield.
        db: Annotated[AsyncSession, Depends(get_db, scope="function")],
        key: Key = None,  # the first line of it; two are refused below
    ) -> AsyncSession:
        if key is not None:
            _refuse_half_of_it(request)
            lines = request.headers.getlist(HEADER)
            await _claim(request, db, store, caller, _read_key(lines))
        if prepare is not None:
            prepare(request, db)
        return db

    _made.add(get_db_once)
    return get_db_once


def _refuse_half_of_it(request: Request) -> None:
    is_kept = isinstance(request.scope["route"], ApiRoute)
    if not is_kept:
        raise RuntimeError(NOT_KEPT)
    if Replay not in request.app.exception_handlers:
        raise RuntimeError("nobody would give the answer again: call install_idempotency(app)")
    if request.app.exception_handlers.keys().isdisjoint((AppError, Exception)):
        raise RuntimeError("nobody would answer its 409 and 422: call install_problems(app)")


async def _claim(
    request: Request,
    db: AsyncSession,
    store: IdempotencyStore,
    caller: FindCaller,
    secret: bytes,
) -> None:
    claimed_by = _find(caller, request)
    claim = Claim(_digest(secret, claimed_by), _fingerprint(secret, request))

    def replay(answer: bytes) -> NoReturn:
        raise Replay(_open(secret, answer))

    async def keep(response: Response) -> None:
        if _find(caller, request) != claimed_by:
            raise RuntimeError("who asks was found after the key was claimed: find it before")
        if getattr(response, "body", None) is None:  # a stream or a file
            raise Malformed(STREAMED)
        if len(response.body) > LARGE_BYTES:
            sealed = await asyncio.to_thread(_seal, secret, response)
        else:
            sealed = _seal(secret, response)
        await store.keep_answer(db, claim, sealed)

    if (kept := await store.find_kept(claim)) is not None:
        replay(kept)
    state_of(request.scope).keep = keep
    store.claim_at_begin(db, claim, replay)


def _find(caller: FindCaller, request: Request) -> str:
    """RuntimeError for what does not tell callers apart, or not the same one twice."""
    found: object = caller(request)
    if isinstance(found, bool) or not isinstance(found, str | int | UUID) or found == "":
        kind = type(found).__name__
        raise RuntimeError(f"`caller` gave a {kind} and no id of who asks: text, number or UUID")
    return str(found)


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


def _hmac(secret: bytes, purpose: str, *parts: bytes) -> bytes:
    return hmac.digest(secret, b"\0".join([purpose.encode(), *parts]), "sha256")


def _digest(secret: bytes, caller: str) -> bytes:
    """The same key of somebody else is another key."""
    return _hmac(secret, "digest", caller.encode())


def _fingerprint(secret: bytes, request: Request) -> bytes:
    scope, headers = request.scope, request.headers
    path = scope["path"].encode(errors="surrogatepass")
    what = (scope["method"].encode(), path, scope["query_string"])
    conditions = ", ".join(headers.getlist("if-match")).encode()
    if unless := headers.getlist("if-none-match"):
        conditions += b"\n" + ", ".join(unless).encode()
    body = state_of(scope).body
    assert body is not None  # ApiRoute has read it
    if (boundary := _boundary(headers)) is not None:
        body = body.replace(boundary, b"")
    return _hmac(secret, "fingerprint", *what, conditions, body)


def _boundary(headers: Headers) -> bytes | None:
    """Of a form with files: clients make up another one each time that they send it."""
    kind, options = parse_options_header(headers.get("content-type"))
    return options.get(b"boundary") if kind == b"multipart/form-data" else None


def _cipher(secret: bytes) -> "AESGCM":
    """Loaded with the first key that comes: OpenSSL's second copy takes 6 MiB."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see above

    return AESGCM(_hmac(secret, "answer"))


def _seal(secret: bytes, response: Response) -> bytes:
    """Compressed before it is encrypted, since afterwards it cannot be."""
    headers = [
        [name.decode("latin-1"), value.decode("latin-1")] for name, value in response.raw_headers
    ]
    head = json.dumps([response.status_code, headers]).encode()  # one line
    answer = zlib.compress(b"%b\n%b" % (head, bytes(response.body)), COMPRESSION)
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, answer, None)


def _open(secret: bytes, sealed: bytes) -> Response:
    nonce, sealed = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    answer = _cipher(secret).decrypt(nonce, sealed, None)
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
