"""A service with a FastAPI whose inner parts have other names: prints what it answers and logs.

python -m plumbline_tests.http.other_version
"""

import asyncio
import sys
from typing import Any

import fastapi
import fastapi._compat
import fastapi.exceptions
import fastapi.middleware.asyncexitstack
import starlette
import structlog

sys.modules["fastapi._compat.v2"] = sys.modules["starlette._exception_handler"] = None  # type: ignore[assignment]
_inside: tuple[Any, ...] = (
    (fastapi._compat, "v2"),
    (starlette, "_exception_handler"),
    (fastapi.exceptions, "EndpointContext"),
    (fastapi.middleware.asyncexitstack, "AsyncExitStackMiddleware"),
)
for _module, _name in _inside:
    delattr(_module, _name)
_versions: Any = (fastapi, starlette)
for _module in _versions:
    _module.__version__ = "9.9.9"

from plumbline import ANONYMOUS, install, resource  # noqa: E402
from plumbline.db import compared  # noqa: E402
from plumbline.settings import HttpSettings  # noqa: E402
from plumbline_tests.http.asgi import answer_to  # noqa: E402

compared._VERSIONS["asyncpg"] = "0.0"
books = resource("books", prefix="")


@books.post("/{book_id}", dependencies=[ANONYMOUS])
async def replace_book(book_id: int, body: dict[str, int]) -> dict[str, int]:
    return {**body, "id": book_id}


async def main() -> None:
    app = fastapi.FastAPI()
    app.include_router(books)
    install(app, HttpSettings(ENVIRONMENT="development"))
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
    async with app.router.lifespan_context(app):
        sent = await answer_to(
            app,
            {"type": "http.request", "body": b'{"pages": 7}'},
            method="POST",
            path="/books/3",
            headers=[(b"host", b"localhost"), (b"content-type", b"application/json")],
        )
    print(sent[1]["body"].decode())  # noqa: T201 - for the test


if __name__ == "__main__":
    asyncio.run(main())
