"""CPU time of each request against the same work by hand, in a process of its own.

python -m tests.speed URL: `app.main:app` with the settings of the environment, and the ceiling on
URL, in turns, some 20 ms each. What disturbs one of them most often disturbs the one after it as
well, so the median of the ratios of such pairs holds on a busy machine, where the ratio of the
shortest times does not.
"""

import json
import sys
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import uvloop

from app.main import app
from benchmarks import asgi
from benchmarks.contenders import ceiling

ROUNDS = 21
ROUND_SECONDS = 0.02
TOKEN = "plumb_for-the-guard"
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
POST = json.dumps({"title": "A title of thirty characters.", "content": "Some words. " * 17})
WORKS: dict[str, tuple[str, str, str, dict[str, str], bytes]] = {
    "GET /posts/{id}": ("GET", "/api/v1/posts/1000", "", {}, b""),
    "GET /posts?limit=20": ("GET", "/api/v1/posts", "limit=20", {}, b""),
    "GET /users/me": ("GET", "/api/v1/users/me", "", SIGNED_IN, b""),
    "POST /posts": ("POST", "/api/v1/posts", "", SIGNED_IN | JSON, POST.encode()),
}
Side = tuple[asgi.App, dict[str, Any]]  # an application and the state of its lifespan


async def _ratio(work: str, ours: Side, by_hand: Side) -> float:
    mine, theirs = (asgi.prepare(*WORKS[work], state) for _, state in (ours, by_hand))
    first, second = await asgi.call(ours[0], *mine), await asgi.call(by_hand[0], *theirs)
    assert first.status == second.status
    assert "POST" in work or json.loads(first.body) == json.loads(second.body)
    return median(
        [await _time(ours[0], mine) / await _time(by_hand[0], theirs) for _ in range(ROUNDS)]
    )


async def _time(run: asgi.App, call: asgi.Call) -> float:
    timing = await asgi.timed(run, [call], ROUND_SECONDS)
    return timing.cpu_seconds / timing.requests


async def compare(url: str) -> dict[str, float]:
    """How many times the CPU time of the ceiling each work takes."""
    async with AsyncExitStack() as stack:
        sides = [
            (run, await stack.enter_async_context(asgi.running(run)))
            for run in (app, ceiling.create_app(url))
        ]
        return {work: await _ratio(work, *sides) for work in WORKS}


if __name__ == "__main__":
    json.dump(uvloop.run(compare(sys.argv[1])), sys.stdout)
