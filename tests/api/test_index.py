import httpx2
import pytest


@pytest.mark.parametrize("path", ["/", "/api/v1"])
async def test_whoever_knows_the_address_finds_the_documentation(
    client: httpx2.AsyncClient, path: str
) -> None:
    found = (await client.get(path)).json()

    document = (await client.get(found["openapi"])).json()
    assert (await client.get(found["documentation"])).status_code == 200
    assert document["info"]["title"] == found["title"]
    assert path not in document["paths"]
