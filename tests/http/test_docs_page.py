"""The page of the API."""

import httpx2


async def test_api_page_loads_everything_from_this_host(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")

    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        response = await client.get(f"/static-offline-docs/{asset}")
        assert response.status_code == 200
