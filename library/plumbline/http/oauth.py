"""What OAuth libraries look for in a refused log-in (RFC 6749, 5.2): `error`, `error_description`.

Beside the members of a problem document, in every failure of the token endpoint: also in those that
come before its route or instead of it.
"""

import re
from http import HTTPStatus
from typing import Any

from starlette.types import Scope

from plumbline.http.problems import ExtendProblem

_NOT_ALLOWED = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")  # in a description

_ERRORS = {
    HTTPStatus.UNAUTHORIZED: "invalid_grant",
    # The RFC has no word for these at this endpoint: those of the other one (4.1.2.1).
    HTTPStatus.CONFLICT: "temporarily_unavailable",  # the same Idempotency-Key still runs
    HTTPStatus.TOO_MANY_REQUESTS: "temporarily_unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
}


def oauth_errors(token_path: str) -> ExtendProblem:
    """For `install`: gives the problem documents of a token endpoint the members of OAuth.

    Wrong values are a 400 there. All other documents stay as they are.
    """

    def extend(scope: Scope, document: dict[str, Any]) -> dict[str, Any]:
        if scope["method"] != "POST" or scope["path"] != token_path:
            return document
        return _with_error(document)

    return extend


def _with_error(document: dict[str, Any]) -> dict[str, Any]:
    error = _ERRORS.get(document["status"], "invalid_request")
    if any(wrong["field"] == "grant_type" for wrong in document.get("errors", ())):
        error = "unsupported_grant_type"
    status = document["status"]
    return document | {
        "status": HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status,
        "error": error,
        "error_description": _NOT_ALLOWED.sub("'", document["detail"]),
    }
