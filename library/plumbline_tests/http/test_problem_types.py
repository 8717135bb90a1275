"""The `type` of each problem is what programs compare: it changes with no version of anything."""

from http import HTTPStatus

import httpx2
import pytest
from fastapi import FastAPI, HTTPException

from plumbline.errors import AppError
from plumbline.http.statuses import STATUSES, describe_status
from plumbline.testing.server import serve
from plumbline_tests.sandbox.service import create_app

OF_ERRORS = {
    "Invalid": "422 invalid",
    "Malformed": "400 bad-request",
    "PreconditionFailed": "412 precondition-failed",
    "Unauthenticated": "401 unauthenticated",
    "Forbidden": "403 forbidden",
    "NotFound": "404 not-found",
    "Conflict": "409 conflict",
    "Stale": "412 stale",
    "PreconditionRequired": "428 precondition-required",
    "TooManyRequests": "429 too-many-requests",
    "Unavailable": "503 unavailable",
    "OutcomeUnknown": "503 outcome-unknown",
}
OF_STATUSES = (
    "400 bad-request, 401 unauthenticated, 403 forbidden, 404 not-found, 405 method-not-allowed, "
    "406 not-acceptable, 408 request-timeout, 409 conflict, 410 gone, 411 length-required, "
    "412 precondition-failed, 413 content-too-large, 414 uri-too-long, "
    "415 unsupported-media-type, 416 range-not-satisfiable, 417 expectation-failed, "
    "421 misdirected-request, 422 invalid, 423 locked, 425 too-early, 426 upgrade-required, "
    "428 precondition-required, 429 too-many-requests, 431 request-header-fields-too-large, "
    "451 unavailable-for-legal-reasons, 500 internal-server-error, 501 not-implemented, "
    "502 bad-gateway, 503 unavailable, 504 gateway-timeout, 505 http-version-not-supported"
)


def test_every_kind_of_error_has_its_type() -> None:
    kinds = {kind.__name__: f"{kind.status} {kind.code}" for kind in AppError.__subclasses__()}

    assert kinds == OF_ERRORS


def test_every_status_has_its_type() -> None:
    listed = ", ".join(f"{status} {code}" for status, (code, _, _) in STATUSES.items())

    assert listed == OF_STATUSES


@pytest.mark.parametrize("status", [418, 499, 599])
async def test_status_that_nobody_thought_of_is_named_by_its_number(status: int) -> None:
    app: FastAPI = create_app()

    @app.get("/odd")
    async def odd() -> None:
        raise HTTPException(status)

    async with serve(app) as address, httpx2.AsyncClient(base_url=address) as client:
        response = await client.get("/odd")

    assert response.status_code == status
    assert response.json()["type"] == f"/problems/http-{status}"


def test_python_names_no_problem() -> None:
    """HTTPStatus(413).phrase is "Request Entity Too Large" in 3.11, "Content Too Large" in 3.13."""
    assert describe_status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)[0] == "content-too-large"
