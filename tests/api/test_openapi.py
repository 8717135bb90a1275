"""The OpenAPI document says what happens; plumbline.testing holds each answer to it."""

from typing import Any

import httpx2
import pytest

from app.core.config import settings
from app.main import app
from plumbline.testing.documented import check_documented
from tests.service import SERVICE

DOCUMENT = app.openapi()
OPERATIONS: list[tuple[str, dict[str, Any]]] = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def _operation(operation_id: str) -> dict[str, Any]:
    (found,) = [each for _, each in OPERATIONS if each["operationId"] == operation_id]
    return found


def test_operations_are_named_after_their_routes() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS]

    assert {"createUser", "getUser", "getMe", "changePassword"} <= set(names)
    assert all(name.isalpha() and name[0].islower() for name in names)
    assert len(set(names)) == len(names)


def test_each_operation_says_whether_it_needs_a_token() -> None:
    public = [name for name, operation in OPERATIONS if operation["security"] == []]
    others = [operation["security"] for _, operation in OPERATIONS if operation["security"]]

    assert {"GET /api/v1/users/{user_id}", "POST /api/v1/users", "GET /livez"} <= set(public)
    assert others
    assert all(each == [{"AccessToken": []}] for each in others)
    assert DOCUMENT["components"]["securitySchemes"].keys() == {"AccessToken"}


def test_a_parameter_is_absent_but_never_null() -> None:
    parameters = [each for _, operation in OPERATIONS for each in operation.get("parameters", [])]

    assert parameters
    assert "null" not in str([each["schema"] for each in parameters])
    assert "user-agent" not in {each["name"].lower() for each in parameters}


def test_if_match_is_required_where_its_absence_is_refused() -> None:
    required = {
        operation["operationId"]: parameter["required"]
        for _, operation in OPERATIONS
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "If-Match"
    }

    refusing = {op["operationId"] for _, op in OPERATIONS if "428" in op["responses"]}
    assert {name for name, is_required in required.items() if is_required} == refusing


def test_refusals_follow_from_what_an_operation_takes() -> None:
    for _, operation in OPERATIONS:
        names = {each["name"] for each in operation.get("parameters", [])}
        statuses = operation["responses"].keys()
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= statuses
        if "Idempotency-Key" in names:
            assert {"400", "409", "422"} <= statuses


def test_every_error_is_a_problem() -> None:
    errors = [
        response["content"]
        for _, operation in OPERATIONS
        for status, response in operation["responses"].items()
        if status >= "4"
    ]

    assert errors
    assert all(each.keys() == {"application/problem+json"} for each in errors)


def test_headers_of_answers_are_listed() -> None:
    created = _operation("createUser")["responses"]["201"]["headers"]
    listed = _operation("listUsers")["responses"]["200"]["headers"]
    limited = _operation("createToken")["responses"]["429"]["headers"]

    assert created.keys() >= {"Location", "X-Request-ID"}
    assert listed.keys() >= {"Link", "X-Request-ID"}
    assert limited.keys() >= {"Retry-After", "RateLimit", "RateLimit-Policy"}


def test_fields_with_few_values_list_them() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas["UserRead"]["properties"]["role"]["enum"] == ["user", "admin"]
    assert schemas["NewTokenRead"]["properties"]["token_type"]["const"] == "bearer"


def test_document_names_where_the_service_is() -> None:
    assert DOCUMENT["servers"] == [{"url": settings.BASE_URL}]
    assert DOCUMENT["info"]["license"]["identifier"] == "MIT"


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [(402, {}, ""), (201, {"Content-Type": "text/html"}, "{}"), (422, {"Location": "/"}, "")],
    ids=["status", "media type", "header"],
)
def test_answer_that_is_not_in_the_document_is_noticed(
    status: int, headers: dict[str, str], content: str
) -> None:
    request = httpx2.Request("POST", "http://service/api/v1/users")
    answer = httpx2.Response(status, headers=headers, content=content, request=request)

    with pytest.raises(AssertionError, match="createUser answers"):
        check_documented(SERVICE.schemas, answer)
