"""That the service is ready when its database is; what hinders it, the library proves."""

import httpx2


async def test_service_is_alive_and_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}
