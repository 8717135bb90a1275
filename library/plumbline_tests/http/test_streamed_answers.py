"""An Idempotency-Key on a route whose answer is a stream or a file."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import httpx2
import pytest
from fastapi import Response
from fastapi.responses import FileResponse, StreamingResponse

from plumbline.http.routing import resource
from plumbline.testing.server import serve
from plumbline_tests.backends import count
from plumbline_tests.sandbox.data import signed_in
from plumbline_tests.sandbox.database import engine
from plumbline_tests.sandbox.models import Author, IdempotencyKey, Note
from plumbline_tests.sandbox.service import SIGNED_IN, Db, create_app

exports = resource("exports", prefix="")


async def _rows() -> AsyncIterator[str]:
    yield "a row"


ANSWERS: dict[str, Callable[[], Response]] = {
    "stream": lambda: StreamingResponse(_rows()),
    "file": lambda: FileResponse(__file__),
    "empty": lambda: Response(status_code=204),
}


@exports.post("/{kind}", dependencies=[SIGNED_IN])
async def export(db: Db, kind: str) -> Response:
    db.add(Note(text=kind))
    return ANSWERS[kind]()


@pytest.fixture(scope="module")
async def address(main_database: str) -> AsyncIterator[str]:
    assert main_database
    service = create_app()
    service.router.routes.extend(exports.routes)
    async with serve(service) as address:
        yield address


@pytest.mark.parametrize("kind", ["stream", "file"])
async def test_key_on_a_streamed_answer_is_refused_and_nothing_is_stored(
    address: str, jane: Author, kind: str
) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    async with httpx2.AsyncClient(base_url=address, headers=signed_in(jane)) as client:
        refused = [await client.post(f"/exports/{kind}", headers=key) for _ in range(2)]
        stored = await count(engine, Note), await count(engine, IdempotencyKey)
        answered = await client.post(f"/exports/{kind}")

    assert [answer.status_code for answer in refused] == [400, 400]
    assert "streams its answer" in refused[0].json()["detail"]
    assert stored == (0, 0)
    assert (answered.status_code, await count(engine, Note)) == (200, 1)


async def test_answer_without_a_body_is_kept(address: str, jane: Author) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    async with httpx2.AsyncClient(base_url=address, headers=signed_in(jane)) as client:
        answers = [await client.post("/exports/empty", headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert await count(engine, Note) == 1
