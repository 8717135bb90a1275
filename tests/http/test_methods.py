"""HEAD of every route of the service answers as its GET does."""

import httpx2
import pytest

from app.db.models import User
from plumbline.testing.requests import operations
from plumbline_tests.http.head import assert_head_is_get
from tests.people import signed_in
from tests.service import SERVICE

STYLES = "/static-offline-docs/swagger-ui.css"  # a file of a mounted application
GETS = [request.path for request, _ in operations(SERVICE.schemas) if request.method == "get"]


@pytest.mark.parametrize("path", [*GETS, "/", "/docs", "/openapi.json", STYLES, "/nothing"])
async def test_head_answers_as_get_does_without_the_body(
    client: httpx2.AsyncClient, admin: User, path: str
) -> None:
    path = path.format(user_id=admin.id, post_id=1)

    # The audit grows by one row with each reading of it.
    grows = path in {"/metrics", "/api/v1/audit"}
    await assert_head_is_get(client, path, signed_in(admin), grows=grows)
