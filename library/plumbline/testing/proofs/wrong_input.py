"""Every route and every wrong input: a 4xx problem document, nothing stored, nothing repeated."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from plumbline.db.idempotency import HEADER as KEY
from plumbline.http.problems import Problem
from plumbline.testing.requests import JSON, Request, operations, send
from plumbline.testing.rows import StoredRows
from plumbline.testing.service import ServiceUnderTest, World
from plumbline.testing.wrong_values import CANARY

__all__ = [
    "test_every_json_body_forbids_unknown_fields",
    "test_untouched_request_is_understood",
    "test_wrong_request_is_refused_and_changes_nothing",
]

NOT_UNDERSTOOD = {400, 405, 413, 415, 422, 428}


@pytest.mark.asyncio(loop_scope="session")
async def test_untouched_request_is_understood(
    client: httpx2.AsyncClient,
    service: ServiceUnderTest,
    world: World,
    operation_case: tuple[Request, dict[str, Any]],
) -> None:
    """Else the wrong ones below would be refused for another reason than theirs."""
    request, operation = operation_case
    name = service.principals_for(operation.get("x-access", "anonymous"))[0]

    response = await send(client, world.about(request), world.principals[name])

    told = f"{request.route} answers {response.status_code}: {response.text}"
    assert response.status_code not in NOT_UNDERSTOOD, told
    assert response.status_code < 500, told  # noqa: PLR2004


@pytest.mark.asyncio(loop_scope="session")
async def test_wrong_request_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient,
    service: ServiceUnderTest,
    stored_rows: StoredRows,
    world: World,
    wrong_request_case: list[Request],
) -> None:
    """Or, where the document does not forbid it, is anything but a 5xx."""
    rules = {request.route: op.get("x-access") for request, op in operations(service.schemas)}
    rule = rules.get(wrong_request_case[0].route) or next(iter(service.allowed))
    headers = world.principals[service.principals_for(rule)[0]]
    failures = []
    before = stored_rows.all()
    for number, wrong in enumerate(wrong_request_case):
        response = await send(client, world.about(_with_own_key(wrong, number)), headers)
        after = stored_rows.all()
        failures += _failures(wrong, response, changes=after != before)
        before = after

    assert not failures, "\n".join(failures)


def _with_own_key(wrong: Request, number: int) -> Request:
    """Else the answer to one that may pass would be kept, and be in the way of those after it."""
    key = wrong.headers.get(KEY)
    if key is None or wrong.label.startswith(KEY):
        return wrong
    return replace(wrong, headers=wrong.headers | {KEY: f"{key[:-4]}{number:04}"})


def _failures(wrong: Request, response: httpx2.Response, *, changes: bool) -> list[str]:
    told = f"{wrong} answers {response.status_code}"
    if wrong.may_pass:
        return [told] if response.status_code >= 500 else []  # noqa: PLR2004
    if response.status_code // 100 != 4:  # noqa: PLR2004
        return [told]
    if response.headers.get("Content-Type") != "application/problem+json":
        return [f"{told} with no problem document"]
    problem = Problem.model_validate_json(response.content)
    named = {error.field for error in problem.errors or []}
    return [
        f"{told} {fault}"
        for fault, is_so in {
            "and says another status": problem.status != response.status_code,
            "and repeats what was sent": CANARY in response.text,
            "and changes what is stored": changes,
            f"and names {sorted(named)}": not _is_named(wrong.wrong_field, named),
        }.items()
        if is_so
    ]


def _is_named(field: str | None, named: set[str]) -> bool:
    """Also with the kinds of a union on the way, as in `pet.cat.lives`, and within a list."""
    return field is None or any(_leads_through(name.split("."), field.split(".")) for name in named)


def _leads_through(way: list[str], parts: list[str]) -> bool:
    steps = iter(way)
    return way[0] == parts[0] and all(part in steps for part in parts)


def test_every_json_body_forbids_unknown_fields(service: ServiceUnderTest) -> None:
    """`extra="forbid"`: a field that nobody knows is a mistake of the caller's."""
    lenient = [
        request.route
        for request, operation in operations(service.schemas)
        if request.content_type == JSON
        and service.schemas.body(operation)[1].get("additionalProperties") is not False
    ]

    assert lenient == []
