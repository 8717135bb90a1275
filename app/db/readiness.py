"""Whether the database can be used as it is; asked by load balancers, so it must stay cheap."""

import asyncio
import time

from sqlalchemy import text

from app.core.config import settings
from app.db import migrate
from app.db.failures import DATABASE_ERRORS, explain
from app.db.session import side_engine

PATIENCE_SECONDS = 0.5  # a probe that waits longer is not answered by most who ask
FRESH_SECONDS = 1.0

# With one of them off PostgreSQL acknowledges what a crash or a power failure undoes.
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")

_STATE = text(
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
    "current_setting('synchronous_commit'), (SELECT version_num FROM alembic_version)"
)


class _Answer:
    """The last answer, and the question that is on its way: many probes ask once."""

    def __init__(self) -> None:
        self.obstacle: str | None = None
        self.until = 0.0
        self.asking = asyncio.Lock()


_last = _Answer()


async def find_obstacle() -> str | None:
    """Why the database cannot be used, as one line that says what to do; None when it can.

    The answer is at most FRESH_SECONDS old.
    """
    async with _last.asking:
        if time.monotonic() >= _last.until:
            _last.obstacle = await _ask()
            _last.until = time.monotonic() + FRESH_SECONDS
    return _last.obstacle


async def _ask() -> str | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), side_engine.connect() as connection:
            *durability, current = (await connection.execute(_STATE)).one()
    except DATABASE_ERRORS as error:
        return explain(error)
    off = [name for name, value in zip(DURABILITY, durability, strict=True) if value == "off"]
    if off and settings.ENVIRONMENT == "production" and not settings.ALLOW_UNSAFE_DATABASE:
        return (
            f"PostgreSQL can lose what it has acknowledged, with {', '.join(off)} off: turn it on, "
            "or set ALLOW_UNSAFE_DATABASE=true"
        )
    needed = migrate.head_revision()
    if current == needed:
        return None
    return f"the database is at revision {current}, not {needed}: run `app db upgrade`"
