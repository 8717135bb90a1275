"""Conditional requests (RFC 9110, 13): nobody overwrites unseen, nobody downloads twice.

The ETag of a post is its version: strong, and the same for everybody who asks.
"""

import re
from collections.abc import Container
from typing import Annotated

from fastapi import Depends, Header, Response

from app.core.errors import FieldError, Invalid, PreconditionRequired

# `*` matches whatever exists.
ANY_VERSION = range(2**63)

_ETAGS = re.compile(r'\s*(?:W/)?"[^"\x00-\x20\x7f]*"\s*(?:,\s*(?:W/)?"[^"\x00-\x20\x7f]*"\s*)*')
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


async def _if_none_match(
    if_none_match: Annotated[
        str | None, Header(alias="If-None-Match", max_length=1000, examples=['"1"'])
    ] = None,
) -> Container[int]:
    return () if if_none_match is None else _versions("If-None-Match", if_none_match, weak=True)


# The versions that the caller has already.
IfNoneMatch = Annotated[Container[int], Depends(_if_none_match)]


def not_modified(version: int) -> Response:
    return Response(status_code=304, headers={"ETag": etag(version)})
