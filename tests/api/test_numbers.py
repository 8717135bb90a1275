"""Numbers in the URLs of all routes: one spelling for each."""

from dataclasses import replace

import httpx2
import pytest

from app.db.models import User
from plumbline.testing.requests import Request, operations, send
from plumbline_tests.http.test_numbers import SPELLINGS
from tests.people import signed_in
from tests.service import SERVICE

NUMBERS = [
    (request, parameter["name"], "path_params" if parameter["in"] == "path" else "params")
    for request, operation in operations(SERVICE.schemas)
    for parameter in operation.get("parameters", [])
    if parameter["in"] in {"path", "query"}
    and SERVICE.schemas.kinds(parameter["schema"]) == {"integer"}
]


def _with(request: Request, name: str, where: str, value: str) -> Request:
    changed = getattr(request, where) | {name: value}
    return replace(request, **{where: changed})


@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
async def test_number_in_a_url_has_one_spelling(
    client: httpx2.AsyncClient, admin: User, spelling: str
) -> None:
    assert NUMBERS

    for request, name, where in NUMBERS:
        wrong = _with(request, name, where, spelling)
        response = await send(client, wrong, signed_in(admin))

        assert response.status_code == 422, wrong
        assert [error["field"] for error in response.json()["errors"]] == [name]
