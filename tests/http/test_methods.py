"""HEAD of every route of the service answers as its GET does."""

import re

import httpx2
import pytest

from app.db.models import User
from plumbline.testing.requests import operations
from plumbline_tests.http.head import assert_head_is_get
from tests.people import signed_in
from tests.service import SERVICE

STYLES = "/static-offline-docs/swagger-ui.css"  # a file of a mounted application
GETS = [request.path for request, _ in operations(SERVICE.schemas) if request.method == "get"]
PAGES = ["/", "/docs", "/openapi.json", STYLES, "/nothing"]


@pytest.mark.parametrize("path", [*GETS, *PAGES])
async def test_head_answers_as_get_does_without_the_body(
    client: httpx2.AsyncClient, admin: User, path: str
) -> None:
    """Ids are the admin's, and those of others are 1: what is not there has a HEAD as well."""
    path = re.sub(r"{(\w+)}", lambda name: str(admin.id if name[1] == "user_id" else 1), path)

    # The audit grows by one row with each reading of it.
    grows = path in {"/metrics", "/api/v1/audit"}
    await assert_head_is_get(client, path, signed_in(admin), grows=grows)
