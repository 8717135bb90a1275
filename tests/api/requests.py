"""Sends a Request of bad_input.py."""

import json
from urllib.parse import quote, urlencode

import httpx2

from tests.api.bad_input import FORM, JSON, Request


async def send(
    client: httpx2.AsyncClient, request: Request, credentials: dict[str, str]
) -> httpx2.Response:
    ids = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
    headers = credentials | request.headers
    content = request.content
    if content is None and request.content_type == FORM:
        content = urlencode(request.body).encode()
    elif content is None and request.content_type == JSON:
        content = json.dumps(request.body).encode()
    if request.content_type:
        headers["Content-Type"] = request.content_type
    return await client.request(
        request.method,
        request.path.format(**ids),
        params=request.params,
        headers=headers,
        content=content,
    )
