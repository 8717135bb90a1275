"""Which of our files a request passes, in the order in which it meets them first.

python -m tests.passed_files: `app.main:app` with the settings of the environment. docs/request.md
has the lists, and tests/test_request_page.py compares them.
"""

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop

from app.main import app
from benchmarks import asgi
from plumbline import metrics
from tests.speed import JSON, POST, SIGNED_IN, WARM_UP

ROOT = Path(__file__).parents[1]
OURS = (f"{ROOT}/app/", f"{ROOT}/library/")
# What the event loop may do meanwhile, on a busy machine, for no request.
BESIDE = {metrics._watch_event_loop.__code__}
KEY = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-{:012d}"}
REQUESTS: dict[str, tuple[str, str, str, dict[str, str], bytes]] = {
    "GET /api/v1/posts/{post_id}": ("GET", "/api/v1/posts/1000", "", {}, b""),
    "POST /api/v1/posts with an Idempotency-Key": (
        "POST",
        "/api/v1/posts",
        "",
        SIGNED_IN | JSON | KEY,
        POST.encode(),
    ),
}


async def _passed(name: str, state: dict[str, Any]) -> list[str]:
    found: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(OURS) and frame.f_code not in BESIDE:
            found[str(Path(file).relative_to(ROOT))] = None

    method, path, query, headers, body = REQUESTS[name]
    for number in range(WARM_UP):
        own = {header: value.format(number) for header, value in headers.items()}
        call = asgi.prepare(method, path, query, own, body, state)
        sys.setprofile(note if number == WARM_UP - 1 else None)
        try:
            answer = await asgi.call(app, *call)
        finally:
            sys.setprofile(None)
        assert answer.status < asgi.FAILED
    return list(found)


async def trace() -> dict[str, list[str]]:
    async with asgi.running(app) as state:
        return {name: await _passed(name, state) for name in REQUESTS}


if __name__ == "__main__":
    json.dump(uvloop.run(trace()), sys.stdout)
