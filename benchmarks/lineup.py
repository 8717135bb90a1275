"""Who takes part."""

import base64
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
    """`cursor` asks for the page that begins so many posts after the newest."""

    name: str
    app: str
    cursor: Callable[[int], str]


CEILING = Contender("by hand (ceiling)", "benchmarks.contenders.ceiling:app", by_key)
OURS = Contender("Plumbline", "app.main:app", by_key)
LINEUP = [
    CEILING,
    OURS,
    Contender("FastAPI tutorial", "benchmarks.contenders.tutorial:app", by_offset),
    Contender("SQLModel template", "benchmarks.contenders.sqlmodel_template:app", by_offset),
    Contender("FastAPI + Tortoise", "benchmarks.contenders.tortoise:app", by_offset),
    Contender("Litestar + AA", "benchmarks.contenders.litestar_aa:app", by_plain_key),
    Contender("Django + ninja", "benchmarks.contenders.django_ninja:app", by_ninja_key),
]
