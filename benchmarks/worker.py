"""One contender in a process of its own, which does what it reads: a JSON object a line.

python -m benchmarks.worker app.main:app
"""

import importlib
import json
import os
import sys
from dataclasses import asdict
from typing import Any

import uvloop

from benchmarks import asgi
from benchmarks.lineup import LINEUP
from benchmarks.works import Request, requests

REQUESTS = 1_000  # different ones, again and again
WARM_UP_SECONDS = 0.1


async def work(path: str, commands: Any, answers: Any) -> None:  # noqa: ANN401 - files
    module, _, name = path.partition(":")
    app = getattr(importlib.import_module(module), name)
    contender = next(each for each in LINEUP if each.app == path)
    prepared: dict[str, list[asgi.Call]] = {}
    async with asgi.running(app) as state:
        for line in commands:
            command = json.loads(line)
            if "call" in command:
                call = _prepare(Request(**command["call"]), state)
                answer = await asgi.call(app, *call)
                reply = {"status": answer.status, "body": answer.body.decode()}
            else:
                name = command.pop("time")
                if name not in prepared:
                    made = requests(name, contender, REQUESTS)
                    prepared[name] = [_prepare(request, state) for request in made]
                await asgi.timed(app, prepared[name], WARM_UP_SECONDS, command["concurrency"])
                reply = asdict(await asgi.timed(app, prepared[name], **command))
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
