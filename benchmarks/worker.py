"""One contender in a process of its own, which does what it reads: a JSON object a line.

python -m benchmarks.worker app.main:app
"""

import importlib
import json
import os
import sys
from dataclasses import asdict
from functools import cache
from typing import Any

import uvloop

from benchmarks import asgi
from benchmarks.lineup import APPS
from benchmarks.works import Request, requests

REQUESTS = 1_000  # different ones, again and again
WARM_UP_SECONDS = 0.1


async def work(path: str, commands: Any, answers: Any) -> None:  # noqa: ANN401 - files
    module, _, name = path.partition(":")
    app = getattr(importlib.import_module(module), name)
    contender = next(each for each in APPS if each.app == path)

    @cache
    def calls(name: str) -> list[asgi.Call]:
        return [_prepare(request, state) for request in requests(name, contender, REQUESTS)]

    async with asgi.running(app) as state:
        for line in commands:
            command = json.loads(line)
            if "call" in command:
                call = _prepare(Request(**command["call"]), state)
                answer = await asgi.call(app, *call)
                reply = {"status": answer.status, "body": answer.body.decode()}
            elif "parts" in command:  # of ours: others must not load its code
                parts = importlib.import_module("benchmarks.parts")
                name = command.pop("parts")
                reply = await parts.measure(app, calls(name), name, **command)
            else:
                name = command.pop("time")
                await asgi.timed(app, calls(name), WARM_UP_SECONDS, command["concurrency"])
                reply = asdict(await asgi.timed(app, calls(name), **command))
            print(json.dumps(reply), file=answers, flush=True)


def _prepare(request: Request, state: dict[str, Any]) -> asgi.Call:
    body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
    return asgi.prepare(request.method, request.path, request.query, request.headers, body, state)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    uvloop.run(work(sys.argv[1], sys.stdin, answers))


if __name__ == "__main__":
    main()
