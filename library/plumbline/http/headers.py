"""Headers that every response carries (OWASP ASVS 5.0, 3.4)."""

from starlette.types import Message

from app.core.config import settings
from plumbline.http.shutdown import is_draining

_NOTHING_LOADS = b"default-src 'none'; frame-ancestors 'none'"
# Swagger UI: its page has a script of its own, and everything else comes from this host.
_API_PAGE = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; frame-ancestors 'none'"
)
_API_PAGES = {"/docs", "/docs/oauth2-redirect"}
_TWO_YEARS = b"max-age=63072000; includeSubDomains"
_HTTPS = [(b"strict-transport-security", _TWO_YEARS)]

_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    *(_HTTPS if settings.BASE_URL.startswith("https://") else []),
]


def complete(start: Message, path: str, request_id: str) -> None:
    """Add what the response does not say itself.

    What has an ETag may be kept and asked about again; everything else is not to be kept, since it
    may be meant for one person.
    """
    headers = start["headers"] = [*(start.get("headers") or ()), *_ALWAYS]
    names = {name.lower() for name, _ in headers}
    headers.append((b"x-request-id", request_id.encode()))
    policy = _API_PAGE if path in _API_PAGES else _NOTHING_LOADS
    headers.append((b"content-security-policy", policy))
    if is_draining():
        headers.append((b"connection", b"close"))
    if b"cache-control" not in names:
        headers.append((b"cache-control", b"no-cache" if b"etag" in names else b"no-store"))
