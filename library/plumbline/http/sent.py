"""Whether a value came from the caller: whether it stood in the request."""

import json
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from plumbline.db.values import leaves
from plumbline.http.routing import state_of
from plumbline.text import fold


def was_sent(request: Request, value: object) -> bool:
    """Whether `value` stood in the request, also folded, or as the greater part of another text."""
    if isinstance(value, datetime):  # which has many spellings
        return any(_is_moment(each, value) for each in _values(request))
    ours = _plain(value)
    theirs = {_plain(each) for each in _values(request)}
    if ours in theirs or not isinstance(value, str):
        return ours in theirs
    return any(_is_most_of(text, ours) or _is_most_of(ours, text) for text in theirs)


def _is_moment(text: object, moment: datetime) -> bool:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text.strip()) == moment
    except ValueError:
        return False


def _is_most_of(part: str, whole: str) -> bool:
    """As in "%part%", or a text that was cut."""
    return bool(part) and 2 * len(part) >= len(whole) and part in whole


def _plain(value: object) -> str:
    return fold(str(value).encode(errors="replace").decode()).strip()


def _values(request: Request) -> Iterator[object]:
    scope = request.scope
    yield from unquote(scope["path"]).split("/")
    yield from (text for pair in parse_qsl(scope["query_string"].decode()) for text in pair)
    yield from request.headers.values()
    state = state_of(scope)
    yield from state.texts
    body = state.body or b""
    try:
        yield from leaves(json.loads(body))
    except (ValueError, RecursionError):  # a form
        pairs = parse_qsl(body.decode(errors="replace"))
        yield from (text for pair in pairs for text in pair)
