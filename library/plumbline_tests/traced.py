"""Requests to the sandbox with traces on, each with its spans: what tests of traces look at.

python -m plumbline_tests.traced, a process of its own: a TracerProvider can be set once. Prints a
JSON object: for each request its status, and the spans that were kept.
"""

import asyncio
import json
import sys
from typing import Any

import httpx2
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningInsert

from benchmarks.asgi import running
from plumbline import after_commit
from plumbline.db.after_commit import finish_acts
from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline.http.access import ANONYMOUS
from plumbline.http.routing import resource
from plumbline.trace_sampling import SPANS_OF_A_REQUEST, KeepByOutcome, RecordAll
from plumbline_tests.sandbox.database import AsyncSessionFactory, engine
from plumbline_tests.sandbox.models import Author, Note
from plumbline_tests.sandbox.service import Db, create_app

SECRET = "ada-4711"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-00"}

NOTES = CompiledSelect(select(func.count(Note.id)), int)


def _insert_note(*, content: str) -> ReturningInsert[int]:
    return insert(Note).values(text=content).returning(Note.id)


NEW_NOTE = CompiledInsert(_insert_note)
odd = resource("odd", prefix="")
attempts: list[int] = []


@odd.post("/write", dependencies=[ANONYMOUS])
async def write(db: Db) -> None:
    """By a session, by a compiled statement of its transaction and by one beside it."""
    db.add(Note(text=SECRET))
    await NEW_NOTE.one(db, content=SECRET)
    await db.execute(text(f"SELECT 1 FROM notes WHERE text = '{SECRET}' AND id < 4711 -- {SECRET}"))
    await db.execute(insert(Note), [{"text": SECRET}, {"text": SECRET}])
    await NOTES.all(engine)
    after_commit(db, tell)


async def tell() -> None:
    """After the answer has left, which would end the span of the request."""
    await asyncio.sleep(0)
    await NOTES.all(engine)
    async with AsyncSessionFactory.begin() as db:
        db.add(Note(text=SECRET))


@odd.post("/fail", dependencies=[ANONYMOUS])
async def fail(db: Db) -> None:
    db.add(Note(text=SECRET))
    await db.flush()
    raise RuntimeError(SECRET)


@odd.post("/conflict", dependencies=[ANONYMOUS])
async def meet_a_conflict(db: Db) -> None:
    db.add_all([Author(name=SECRET), Author(name=SECRET)])
    await db.flush()


@odd.post("/savepoint", dependencies=[ANONYMOUS])
async def leave_a_savepoint(db: Db) -> None:
    try:
        async with db.begin_nested():
            db.add_all([Author(name=SECRET), Author(name=SECRET)])
    except IntegrityError:
        await NOTES.all(db)


@odd.post("/race", dependencies=[ANONYMOUS])
async def lose_a_race_once(db: Db) -> None:
    await NEW_NOTE.one(db, content=SECRET)
    attempts.append(1)
    if len(attempts) == 1:
        raising = f"DO $$ BEGIN RAISE EXCEPTION '{SECRET}' USING ERRCODE = '40001'; END $$"
        await db.execute(text(raising))


@odd.post("/act", dependencies=[ANONYMOUS])
async def fail_after_the_commit(db: Db) -> None:
    async def act() -> None:
        await asyncio.sleep(0)
        raise RuntimeError(SECRET)

    db.add(Note(text=SECRET))
    after_commit(db, act)


@odd.get("/loop", dependencies=[ANONYMOUS])
async def ask_in_a_loop() -> None:
    for _ in range(SPANS_OF_A_REQUEST + 1):
        await NOTES.all(engine)


@odd.get("/stream", dependencies=[ANONYMOUS])
async def stream(db: Db) -> None:
    async for _ in await db.stream(select(Note.id)):
        pass


@odd.get("/wrong", dependencies=[ANONYMOUS])
async def say_nonsense(db: Db) -> None:
    await db.execute(text(f"SELECT nothing FROM nowhere WHERE '{SECRET}' = 1"))


REQUESTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "usual": ("POST", "/odd/write", {}),
    "sampled": ("POST", f"/odd/write?q={SECRET}&q=2&page=3", SAMPLED),
    "read": ("GET", "/books", SAMPLED),
    "not sampled": ("POST", "/odd/write", NOT_SAMPLED),
    "failed": ("POST", "/odd/fail", NOT_SAMPLED),
    "conflict": ("POST", "/odd/conflict", SAMPLED),
    "usual conflict": ("POST", "/odd/conflict", {}),
    "savepoint": ("POST", "/odd/savepoint", SAMPLED),
    "race": ("POST", "/odd/race", SAMPLED),
    "act": ("POST", "/odd/act", {}),
    "loop": ("GET", "/odd/loop", SAMPLED),
    "stream": ("GET", "/odd/stream", SAMPLED),
    "wrong": ("GET", "/odd/wrong", {}),
    "probe": ("GET", "/readyz", SAMPLED),
}


def _told(span: ReadableSpan) -> dict[str, Any]:
    assert span.context is not None
    return {
        "name": span.name,
        "trace": trace.format_trace_id(span.context.trace_id),
        "id": trace.format_span_id(span.context.span_id),
        "parent": span.parent and trace.format_span_id(span.parent.span_id),
        "kind": span.kind.name,
        "status": span.status.status_code.name,
        "said": span.status.description,
        "attributes": {**(span.attributes or {})},
        "events": [[event.name, {**(event.attributes or {})}] for event in span.events],
    }


async def main() -> dict[str, Any]:
    spans, provider = InMemorySpanExporter(), TracerProvider(sampler=RecordAll(0))
    keep = KeepByOutcome(SimpleSpanProcessor(spans), slow_seconds=3600)
    provider.add_span_processor(keep)
    trace.set_tracer_provider(provider)
    app = create_app()
    app.router.routes.extend(odd.routes)
    found: dict[str, Any] = {}
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with running(app), httpx2.AsyncClient(transport=transport, base_url="http://a") as client:
        for name, (method, path, headers) in REQUESTS.items():
            answer = await client.request(method, path, headers=headers)
            await finish_acts()
            told = [_told(span) for span in spans.get_finished_spans()]
            found[name] = {"status": answer.status_code, "spans": told}
            spans.clear()
        together = [client.post("/odd/write", headers=SAMPLED) for _ in range(10)]
        await asyncio.gather(*together)
        await finish_acts()
        found["together"] = {"spans": [_told(span) for span in spans.get_finished_spans()]}
    found["left"] = len(keep._open) + keep._held
    return found


if __name__ == "__main__":
    json.dump(asyncio.run(main()), sys.stdout)
