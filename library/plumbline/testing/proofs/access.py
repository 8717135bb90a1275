"""Every route with everybody, as the rule says that the route declares (`x-access`)."""

import httpx2
import pytest

from plumbline.http.access import routes_without_rule
from plumbline.testing.requests import FORM, Request, operations, send
from plumbline.testing.rows import StoredRows
from plumbline.testing.service import ServiceUnderTest, World

__all__ = ["test_every_route_declares_a_known_rule", "test_rule_of_the_route_holds"]


@pytest.mark.asyncio(loop_scope="session")
async def test_rule_of_the_route_holds(
    client: httpx2.AsyncClient,
    service: ServiceUnderTest,
    stored_rows: StoredRows,
    world: World,
    access_case: tuple[Request, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine is no fault of the service: `/readyz` may take its time.
    monkeypatch.setattr("plumbline.db.readiness.PATIENCE_SECONDS", 60)
    request, rule, name = access_case
    before = stored_rows.all()

    response = await send(client, world.about(request), world.principals[name])

    advice = world.advice(request)
    told = f"{request.route} by {name} answers {response.status_code}{advice}: {response.text}"
    if name in service.principals_for(rule):
        # A form that logs in says 401 of what it holds.
        refused = {401, 403} if request.content_type != FORM else {403}
        assert response.status_code not in refused | {404}, told
        assert response.status_code < 500, told  # noqa: PLR2004
        return
    expected = {401} if name in service.unknown else {403, 404}
    assert response.status_code in expected, told
    for secret in world.secrets:
        assert secret not in response.text, told
    assert stored_rows.all() == before, told


def test_every_route_declares_a_known_rule(service: ServiceUnderTest) -> None:
    rules = {op["x-access"] for _, op in operations(service.schemas) if "x-access" in op}

    assert routes_without_rule(service.app) == []
    assert rules <= service.allowed.keys(), "say in ServiceUnderTest.allowed who may"
