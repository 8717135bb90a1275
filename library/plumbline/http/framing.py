"""What makes a request unreadable before anybody looks at what it asks for (RFC 9112)."""

import re

from starlette.types import Scope

_DIGITS = re.compile(rb"[0-9]+")
_LONGEST = 18  # digits: more are too many bytes for anybody, and a lot of work for int()


def has_one_host(scope: Scope) -> bool:
    """HTTP/1.1 names the host once; a second one could name another (RFC 9112, 3.2)."""
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    return hosts == 1 or (hosts == 0 and scope.get("http_version") != "1.1")


def declared_length(scope: Scope) -> int | None:
    """Content-Length in bytes, 0 without one; None when it is not one number (RFC 9110, 8.6)."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return 0
    if len(values) > 1 or not _DIGITS.fullmatch(values[0]):
        return None
    return int(values[0][:_LONGEST]) if len(values[0].lstrip(b"0")) <= _LONGEST else 10**_LONGEST
