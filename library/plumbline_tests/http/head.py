"""HEAD answers as GET does, without the body (RFC 9110, 9.3.2)."""

import httpx2

# Headers of each answer alone, the last one in development only.
OF_THE_REQUEST = {"date", "x-request-id", "server-timing"}


async def assert_head_is_get(
    client: httpx2.AsyncClient, path: str, headers: dict[str, str], *, grows: bool
) -> None:
    """`grows`: the answer is longer each time that it is asked for."""
    head, get = [await client.request(each, path, headers=headers) for each in ("HEAD", "GET")]

    varies = OF_THE_REQUEST | ({"content-length"} if grows else set())
    told = [
        {name: value for name, value in each.headers.items() if name not in varies}
        for each in (head, get)
    ]
    assert (head.status_code, told[0]) == (get.status_code, told[1])
    assert int(head.headers["Content-Length"]) > 0
    assert head.content == b""
