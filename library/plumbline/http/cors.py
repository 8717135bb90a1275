"""Pages of other origins (the Fetch standard): which of them may read what we answer."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from plumbline.errors import Malformed
from plumbline.http.problems import problem_response

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What a page may send and read beside the headers that every page may.
SENT = (
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "X-Consistency-Token",
    "X-Request-ID",
)
READ = (
    "ETag",
    "Location",
    "Link",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Consistency-Token",
    "X-Request-ID",
)


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """`app`, with answers that pages of `origins` may read; `app` itself where there are none.

    Around every answer, refusals and defects too: a page must see why. No credentials, since a
    page sends its token itself; so a cookie of ours could never be used by another origin.
    """
    return _Cors(app, origins) if origins else app


class _Cors(CORSMiddleware):
    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=READ,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Starlette's; its refusals as problem documents, like every other."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004 - HTTP's first error
            return response
        refusal = problem_response(Malformed(f"{bytes(response.body).decode()}: see CORS_ORIGINS."))
        refusal.headers["Vary"] = response.headers["Vary"]
        return refusal
