"""Conditional requests (RFC 9110, 13): nobody overwrites unseen, nobody downloads twice.

`ApiRoute` (routing.py) holds every request to its If-Match and If-None-Match. A GET is held to the
ETag of its answer. What changes a row is held to the version of the row, under its lock, where the
route takes `IfMatch`; else to a representation without an ETag, before the commit. Nothing here has
a Last-Modified, so If-Modified-Since and If-Unmodified-Since say nothing (13.1.3, 13.1.4).

The ETag of a post is its version: strong, and the same for everybody who asks.
"""

import re
from http import HTTPStatus

from fastapi import Request, Response

from plumbline.errors import FieldError, Invalid, PreconditionFailed, Stale
from plumbline.http.headers import methods_of

CONDITIONS = frozenset({b"if-match", b"if-none-match"})
MAX_LENGTH = 1000  # of a list of ETags
ANY = "*"  # matches whatever exists

_ETAG = r'(?:W/)?"[^"\x00-\x20\x7f]*"'
# A list has commas between its elements; empty elements are ignored (RFC 9110, 5.6.1.2).
_LIST = re.compile(rf"[ \t,]*{_ETAG}[ \t]*(?:,[ \t,]*{_ETAG}[ \t]*)*(?:,[ \t,]*)?")
_ETAGS = re.compile(_ETAG)
# The same for the document: in JSON Schema a pattern of JavaScript, not anchored by itself.
ETAGS_PATTERN = r'^(\*|(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*)$'
# What a 304 repeats of the answer that it stands for (RFC 9110, 15.4.5).
_KEPT = {b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"}

ETags = set[str] | str  # ANY, or some


class Conditions:
    """A request's If-Match and If-None-Match, each a set of ETags, `*`, or None when absent."""

    __slots__ = ("if_match", "if_none_match", "is_checked")

    def __init__(self, if_match: ETags | None, if_none_match: ETags | None) -> None:
        self.if_match = if_match
        self.if_none_match = if_none_match
        self.is_checked = False

    def check(self, tag: str | None, *, exists: bool = True) -> None:
        """Stale or PreconditionFailed, unless what has this ETag (None: none) may be changed.

        If-Match compares strongly, If-None-Match weakly, and in this order (13.2.2).
        """
        self.is_checked = True
        if self.if_match is not None and not _names(self.if_match, tag, exists=exists):
            raise Stale("Read it again, and send the ETag that you get.")
        if self._is_known(tag, exists=exists):
            raise PreconditionFailed("It has an ETag that If-None-Match names.")

    def check_answer(self, request: Request, response: Response) -> Response:
        """The response, if it may be sent; else Stale, PreconditionFailed, or a 304 in its place.

        A request that fails without its conditions fails as it would without them (13.2.1).
        """
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            return response
        if request.method != "GET":  # HEAD has become GET
            if not self.is_checked:
                is_readable = "GET" in methods_of(request.app.routes, request.scope)
                self.check(None, exists=is_readable)
            return response
        tag = response.headers.get("etag")
        if self.if_match is not None and not _names(self.if_match, tag, exists=True):
            raise Stale("It has another ETag than If-Match names.")
        return _not_modified(response) if self._is_known(tag, exists=True) else response

    def _is_known(self, tag: str | None, *, exists: bool) -> bool:
        known = self.if_none_match
        if known is None or known == ANY:
            return known is not None and exists
        return tag is not None and _opaque(tag) in map(_opaque, known)


def read_conditions(request: Request) -> Conditions:
    """Those of the request; Invalid for what is no list of ETags."""
    return Conditions(_tags(request, "If-Match"), _tags(request, "If-None-Match"))


def _tags(request: Request, name: str) -> ETags | None:
    """Several lines are one list (RFC 9110, 5.3)."""
    lines = request.headers.getlist(name)
    if not lines:
        return None
    header = ", ".join(lines)
    if header.strip(" \t") == ANY:
        return ANY
    if len(header) > MAX_LENGTH or not _LIST.fullmatch(header):
        message = f'must be one or more ETags, as in "3", or *; at most {MAX_LENGTH} characters'
        raise Invalid(f"Not acceptable: {name}.", errors=(FieldError(name, "invalid", message),))
    return set(_ETAGS.findall(header))


def _names(tags: ETags, tag: str | None, *, exists: bool) -> bool:
    """Whether it is one of `tags`; a weak ETag never is (RFC 9110, 8.8.3.2)."""
    if tags == ANY:
        return exists
    return tag is not None and tag in tags and not tag.startswith("W/")


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def _not_modified(response: Response) -> Response:
    told = Response(status_code=HTTPStatus.NOT_MODIFIED, background=response.background)
    told.raw_headers = [header for header in response.raw_headers if header[0] in _KEPT]
    return told
