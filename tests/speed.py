"""What each request costs, counted: the same on every machine, however busy it is.

python -m tests.speed: `app.main:app` with the settings of the environment. A function call is one
of Python or of C; memory is what a request has allocated at most at one moment, in bytes. Both
counts include the harness that calls the application (benchmarks/asgi.py). Garbage is how many
objects a request leaves to the collector of cycles. Tracing is how many of the calls are of
OpenTelemetry, or of what makes spans here. How often memory is allocated is not counted:
no interpreter says it, and what is allocated and freed at once shows in the calls.
"""

import asyncio
import gc
import json
import re
import sys
import tracemalloc
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any

import uvloop

from app.cli import commands  # noqa: F401 - `app serve` imports them too
from app.main import app
from benchmarks import asgi
from plumbline.cli import serving  # noqa: F401

WARM_UP = 20  # caches are filled, statements prepared, adaptive code of the interpreter settled
SAMPLES = 5  # the smallest is the request alone, without what the event loop does meanwhile
TOKEN = "plumb_for-the-guard"
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
POST = json.dumps({"title": "A title of thirty characters.", "content": "Some words. " * 17})
# With the first new password, the first key, a migration, a traceback for people (docs/adr/0063).
LOADED_LATE = {
    *("zxcvbn", "cryptography", "psycopg", "alembic", "mako", "rich", "pygments", "attr"),
    "opentelemetry.sdk",
    *(f"sqlalchemy.dialects.{name}" for name in ("mssql", "mysql", "oracle", "sqlite")),
}
TRACING = re.compile(r"/opentelemetry/|/plumbline/(db/)?trac(ing|e_|ed_)")
WORKS: dict[str, tuple[str, str, str, dict[str, str], bytes]] = {
    "GET /posts/{id}": ("GET", "/api/v1/posts/1000", "", {}, b""),
    "GET /posts?limit=20": ("GET", "/api/v1/posts", "limit=20", {}, b""),
    "GET /users/me": ("GET", "/api/v1/users/me", "", SIGNED_IN, b""),
    "POST /posts": ("POST", "/api/v1/posts", "", SIGNED_IN | JSON, POST.encode()),
}


@dataclass(frozen=True)
class Cost:
    calls: int
    memory_bytes: int
    garbage: int
    tracing: int


async def _count_tracing(call: asgi.Call) -> int:
    calls = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call" and TRACING.search(frame.f_code.co_filename) is not None

    sys.setprofile(count)
    try:
        await asgi.call(app, *call)
    finally:
        sys.setprofile(None)
    return calls


async def _measure_memory(call: asgi.Call) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await asgi.call(app, *call)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


async def _count_garbage(call: asgi.Call) -> int:
    gc.collect()
    gc.disable()
    left = []
    try:
        for _ in range(SAMPLES):
            before = gc.get_count()[0]
            for _ in range(WARM_UP):  # the first samples fill what `collect` has emptied
                await asgi.call(app, *call)
            left.append((gc.get_count()[0] - before) // WARM_UP)
        return min(left)
    finally:
        gc.enable()


async def _cost(work: str, state: dict[str, Any]) -> Cost:
    call = asgi.prepare(*WORKS[work], state)
    for _ in range(WARM_UP):
        assert (await asgi.call(app, *call)).status < asgi.FAILED
    calls = [await asgi.count_calls(app, call) for _ in range(SAMPLES)]
    memory = [await _measure_memory(call) for _ in range(SAMPLES)]
    await asyncio.sleep(0)
    garbage, tracing = await _count_garbage(call), await _count_tracing(call)
    return Cost(min(calls), min(memory), garbage, tracing)


async def measure() -> dict[str, Cost]:
    async with asgi.running(app) as state:
        return {work: await _cost(work, state) for work in WORKS}


if __name__ == "__main__":
    costs = {work: asdict(cost) for work, cost in uvloop.run(measure()).items()}
    json.dump({"costs": costs, "loaded": sorted(LOADED_LATE & sys.modules.keys())}, sys.stdout)
