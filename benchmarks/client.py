"""What loads a server when there is no wrk: the same requests, and the same line at the end.

python -m benchmarks.client PORT CONNECTIONS SECONDS FILE
"""

import asyncio
import statistics
import sys
import time
from itertools import cycle
from pathlib import Path

import uvloop

from benchmarks.works import HOST

LENGTH = b"\r\ncontent-length: "


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, requests: "cycle[bytes]", took: list[float], errors: list[bytes]) -> None:
        self.requests, self.took, self.errors = requests, took, errors
        self.received = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self.received, self.sent_at = b"", time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().partition(LENGTH)[2].partition(b"\r")[0])
            if len(body) >= length:
                self.took.append(time.perf_counter() - self.sent_at)
                if head[9:10] != b"2":
                    self.errors.append(head)
                self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        self.errors.append(b"closed")


async def load(port: int, connections: int, seconds: float, requests: "cycle[bytes]") -> str:
    took: list[float] = []
    errors: list[bytes] = []
    loop, started = asyncio.get_running_loop(), time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(requests, took, errors), HOST, port)
    await asyncio.sleep(seconds)
    duration = time.perf_counter() - started
    percentiles = statistics.quantiles(took, n=100) if len(took) > 1 else [0.0] * 99
    microseconds = [round(each * 1e6) for each in (duration, percentiles[49], percentiles[98])]
    return f"RESULT {len(took)} {len(errors)} {' '.join(map(str, microseconds))}"


if __name__ == "__main__":
    port, connections, seconds, file = sys.argv[1:]
    requests = cycle(Path(file).read_bytes().split(b"\0"))
    print(uvloop.run(load(int(port), int(connections), float(seconds), requests)))
