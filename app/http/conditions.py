"""Conditional requests (RFC 9110, 13): nobody overwrites unseen, nobody downloads twice.

The ETag of a post is its version: strong, and the same for everybody who asks.
"""

import re
from collections.abc import Container
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response

from app.core.errors import FieldError, Invalid, PreconditionRequired

# `*` matches whatever exists.
ANY_VERSION = range(2**63)

_ETAGS = re.compile(r'\s*(?:W/)?"[^"\x00-\x20\x7f]*"\s*(?:,\s*(?:W/)?"[^"\x00-\x20\x7f]*"\s*)*')
# The same for the document: in JSON Schema a pattern of JavaScript, not anchored by itself.
ETAGS_PATTERN = r'^(\*|(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*)$'
_VERSION = re.compile(r'(W/)?"([1-9][0-9]{0,18})"')


def etag(version: int) -> str:
    return f'"{version}"'


def _versions(name: str, header: str, *, weak: bool) -> Container[int]:
    """The versions that a list of ETags names; weakly compared a `W/` does not matter."""
    if header.strip() == "*":
        return ANY_VERSION
    if not _ETAGS.fullmatch(header):
        message = 'must be one or more ETags, as in "3", or *'
        raise Invalid(f"Not acceptable: {name}.", errors=(FieldError(name, "invalid", message),))
    return {int(version) for mark, version in _VERSION.findall(header) if weak or not mark}


async def _if_match(
    if_match: Annotated[
        str | None, Header(alias="If-Match", max_length=1000, examples=['"1"'])
    ] = None,
) -> Container[int] | None:
    return None if if_match is None else _versions("If-Match", if_match, weak=False)


OptionalIfMatch = Annotated[Container[int] | None, Depends(_if_match)]


async def _required_if_match(versions: OptionalIfMatch) -> Container[int]:
    if versions is None:
        raise PreconditionRequired("Send the ETag that you read as If-Match.")
    return versions


# The versions that the caller is willing to change.
IfMatch = Annotated[Container[int], Depends(_required_if_match)]


# Among the `responses` of a route that answers with an ETag: its document names the header.
UNLESS_KNOWN: dict[int | str, dict[str, Any]] = {
    HTTPStatus.NOT_MODIFIED: {"description": "If-None-Match names what would have been sent"}
}


def known_versions(request: Request) -> Container[int] | None:
    """Those that the caller has already; Invalid for what is no list of ETags."""
    header = request.headers.get("if-none-match")
    return None if header is None else _versions("If-None-Match", header, weak=True)


def unless_known(known: Container[int] | None, response: Response) -> Response:
    """The response; 304 instead, if the caller has it already."""
    tag = None if known is None else response.headers.get("etag")
    if known is None or tag is None or int(tag.strip('"')) not in known:
        return response
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
