"""HEAD of every route of the service answers as its GET does."""

import httpx2
import pytest

from app.db.models import User
from plumbline.testing.requests import operations
from tests.people import signed_in
from tests.service import SERVICE

OF_THE_REQUEST = {"date", "x-request-id"}


STYLES = "/static-offline-docs/swagger-ui.css"  # a file of a mounted application
GETS = [request.path for request, _ in operations(SERVICE.schemas) if request.method == "get"]


@pytest.mark.parametrize("path", [*GETS, "/", "/docs", "/openapi.json", STYLES, "/nothing"])
async def test_head_answers_as_get_does_without_the_body(
    client: httpx2.AsyncClient, admin: User, path: str
) -> None:
    path = path.format(user_id=admin.id, post_id=1)

    head, get = [
        await client.request(method, path, headers=signed_in(admin)) for method in ("HEAD", "GET")
    ]

    # The audit grows by one row with each reading of it.
    grows = path in {"/metrics", "/api/v1/audit"}
    varies = OF_THE_REQUEST | ({"content-length"} if grows else set())
    told = [
        {name: value for name, value in each.headers.items() if name not in varies}
        for each in (head, get)
    ]
    assert (head.status_code, told[0]) == (get.status_code, told[1])
    assert int(head.headers["Content-Length"]) > 0
    assert head.content == b""
