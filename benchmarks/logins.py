"""What 64 people who log in at once cost everybody else.

A server process of its own; /livez is asked all the time, first while nothing else happens, then
while 64 clients log in again and again. Those who find the queue for hashing full get a 503.
"""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from app.core.config import settings
from app.db.schema import migrations
from plumbline.db.drift import temporary_postgres

CLIENTS = 64
WARM_UP = 16  # at once: as many as find a place, so that the pool is full
SECONDS = 8.0
PORT = 18_080
ADDRESS = f"http://127.0.0.1:{PORT}"
ACCOUNT = {"username": "ada", "email": "ada@example.com", "password": "several words of mine"}


@asynccontextmanager
async def serving(database_url: str) -> AsyncIterator[int]:
    """`app serve`, without limits on guessing; gives its process id."""
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "LOGIN_LIMIT_PER_ACCOUNT": "0",
        "LOGIN_LIMIT_PER_NETWORK": "0",
    }
    command = [sys.executable, "-m", "app.cli", "serve", f"--port={PORT}"]
    with subprocess.Popen(  # noqa: ASYNC220 - it only starts here
        command, env=environment, stderr=subprocess.DEVNULL
    ) as server:
        try:
            await until_alive()
            yield server.pid
        finally:
            server.terminate()


async def until_alive() -> None:
    async with httpx2.AsyncClient() as client:
        for _ in range(200):
            try:
                await client.get(f"{ADDRESS}/livez")
            except httpx2.TransportError:
                await asyncio.sleep(0.1)
            else:
                return
    raise TimeoutError("the server did not start")


async def probe(seconds: float) -> list[float]:
    """How long /livez takes, in milliseconds, asked every 10 ms."""
    took = []
    async with httpx2.AsyncClient(base_url=ADDRESS) as client:
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            started = time.perf_counter()
            await client.get("/livez")
            took.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.01)
    return took


async def log_in(client: httpx2.AsyncClient) -> httpx2.Response:
    form = {"username": ACCOUNT["username"], "password": ACCOUNT["password"]}
    return await client.post("/api/v1/auth/token", data=form)


async def log_in_again_and_again(
    client: httpx2.AsyncClient, answers: list[tuple[int, float]]
) -> None:
    while True:
        started = time.perf_counter()
        response = await log_in(client)
        answers.append((response.status_code, (time.perf_counter() - started) * 1000))
        if response.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(float(response.headers["Retry-After"]))


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def counted(metrics: str, seconds: str) -> int:
    """How many refusals the server was done with in so many seconds, by its own clock."""
    labels = f'le="{seconds}",method="POST",route="/api/v1/auth/token",status="503"'
    return round(float(metrics.partition(f"_bucket{{{labels}}} ")[2].split()[0]))


def row(name: str, milliseconds: list[float]) -> str:
    p99 = statistics.quantiles(milliseconds, n=100)[98]
    return f"| {name} | {len(milliseconds)} | {statistics.median(milliseconds):.1f} | {p99:.1f} |"


async def measure(pid: int) -> None:
    async with httpx2.AsyncClient(base_url=ADDRESS, timeout=60) as client:
        await client.post("/api/v1/users", json=ACCOUNT)
        await asyncio.gather(*(log_in(client) for _ in range(WARM_UP)))
        print("measuring for 20 seconds", file=sys.stderr)
        idle, before = await probe(SECONDS), resident_mib(pid)
        answers: list[tuple[int, float]] = []
        people = [
            asyncio.create_task(log_in_again_and_again(client, answers)) for _ in range(CLIENTS)
        ]
        busy, after = await probe(SECONDS), resident_mib(pid)
        for person in people:
            person.cancel()
        await asyncio.gather(*people, return_exceptions=True)
        metrics = (await client.get("/metrics")).text
    refused = [took for status, took in answers if status == httpx2.codes.SERVICE_UNAVAILABLE]
    print("| request | answers | median ms | p99 ms |\n|---|---|---|---|")
    print(row("GET /livez, idle", idle))
    print(row(f"GET /livez, {CLIENTS} people log in", busy))
    print(row("log-in refused with 503", refused))
    quick, all_refused = (counted(metrics, end) for end in ("0.1", "+Inf"))
    print(f"\nrefusals that took the server less than 100 ms: {quick} of {all_refused}")
    print(f"answers to log-ins: {dict(Counter(status for status, _ in answers))}")
    hashes = settings.PASSWORD_HASH_THREADS * settings.ARGON2_MEMORY_KIB / 1024
    print(f"memory: {before:.0f} MiB, then {after:.0f} MiB; hashes take {hashes:.0f} MiB at most")


async def run(database_url: str) -> None:
    async with serving(database_url) as pid:
        await measure(pid)


def main() -> None:
    with temporary_postgres() as server:
        migrations.upgrade(server.url())
        asyncio.run(run(server.url()))


if __name__ == "__main__":
    main()
