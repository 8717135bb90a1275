"""Who takes part."""

import base64
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

NEWEST_ID = 1_000_000  # as many posts as benchmarks/data.py makes


def by_key(offset: int) -> str:
    """The cursor of ours and of the ceiling: the id that the page begins below."""
    return base64.urlsafe_b64encode((NEWEST_ID + 1 - offset).to_bytes(8)).decode().rstrip("=")


def by_plain_key(offset: int) -> str:
    return str(NEWEST_ID + 1 - offset)


def by_ninja_key(offset: int) -> str:
    return base64.b64encode(f"p={NEWEST_ID - offset}".encode()).decode()


def by_offset(offset: int) -> str:
    return str(offset)


@dataclass(frozen=True)
class Contender:
    """`cursor` asks for the page that begins so many posts after the newest.

    `app` is an ASGI application, unless there is a `server`: a command, which gets its port as the
    last argument. What needs a server of its own is not measured without one.
    """

    name: str
    app: str
    cursor: Callable[[int], str]
    server: tuple[str, ...] = ()
    cores: int = 1


UVICORN = (sys.executable, "-m", "uvicorn", "--loop=uvloop", "--http=httptools")
QUIET = ("--no-access-log", "--no-proxy-headers", "--host=127.0.0.1")
GO_PEER = "Go + pgx"
GO = shutil.which("go")  # with pgx of Debian: golang-go, golang-github-jackc-pgx-v4-dev

CEILING = Contender("by hand (ceiling)", "benchmarks.contenders.ceiling:app", by_key)
EQUAL = Contender("by hand, equal work", "benchmarks.contenders.equal_work:app", by_key)
OURS = Contender("Plumbline", "app.main:app", by_key)
SERVE = Contender(  # as it runs in production; takes no part in what is compared
    "Plumbline, `app serve`",
    "app.main:app",
    by_key,
    (sys.executable, "-m", "app.cli", "serve", "--port"),
)
APPS = [
    CEILING,
    EQUAL,
    OURS,
    Contender("FastAPI tutorial", "benchmarks.contenders.tutorial:app", by_offset),
    Contender("SQLModel template", "benchmarks.contenders.sqlmodel_template:app", by_offset),
    Contender("FastAPI + Tortoise", "benchmarks.contenders.tortoise:app", by_offset),
    Contender("Litestar + AA", "benchmarks.contenders.litestar_aa:app", by_plain_key),
    Contender("Litestar + asyncpg", "benchmarks.contenders.litestar_msgspec:app", by_key),
    Contender("Django + ninja", "benchmarks.contenders.django_ninja:app", by_ninja_key),
]
ROBYN = "benchmarks.contenders.robyn_asyncpg"
SERVERS = [Contender("Robyn + asyncpg", ROBYN, by_key, (sys.executable, "-m", ROBYN))]
if GO:
    SERVERS.append(Contender(GO_PEER, "go_pgx", by_key, (".bench/go_pgx",)))
LINEUP = APPS + SERVERS
