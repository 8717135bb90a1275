"""Whether the database can be used as it is; asked by load balancers, so it must stay cheap."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import text

from app.core.config import settings
from app.db.schema import migrations
from app.db.session import side_engine
from plumbline.db.errors import (
    DATABASE_ERRORS,
    classify,
    does_not_fit_the_schema,
    explain,
    sqlstate,
)
from plumbline.errors import AppError, Unavailable

PATIENCE_SECONDS = 0.5  # a probe that waits longer is not answered by most who ask
FRESH_SECONDS = 1.0

# With one of them off PostgreSQL acknowledges what a crash or a power failure undoes.
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")

UNAVAILABLE, UNSAFE = "database-unavailable", "database-unsafe"
BEHIND = "schema-behind"
_NO_SUCH_TABLE = "42P01"

_STATE = text(
    "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
    "current_setting('synchronous_commit'), (SELECT version_num FROM alembic_version)"
)

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`code` may be told to anybody; `reason` is for the log: what is wrong, and what to do."""

    code: str
    reason: str


class _Answer:
    """The last answer, and the question that is on its way: many probes ask once."""

    def __init__(self) -> None:
        self.obstacle: Obstacle | None = None
        self.logged: Obstacle | None = None
        self.newer: str | None = None  # the revision that was logged as newer
        self.until = 0.0
        self.asking = asyncio.Lock()


_last = _Answer()


async def find_obstacle() -> Obstacle | None:
    """Why the database cannot be used; None when it can.

    The answer is at most FRESH_SECONDS old. Each change of it is one line in the log.
    """
    obstacle = await _find_fresh()
    if obstacle != _last.logged:
        _last.logged = obstacle
        if obstacle is None:
            log.info("ready again")
        else:
            log.error("not ready", code=obstacle.code, reason=obstacle.reason)
    return obstacle


async def find_meaning(error: BaseException) -> AppError | None:
    """As `classify`; a statement that does not fit a schema that is behind is no defect."""
    if (meaning := classify(error)) is None and does_not_fit_the_schema(error):
        obstacle = await _find_fresh()
        if obstacle is not None and obstacle.code == BEHIND:
            return Unavailable("The database is being set up.", retry_after_seconds=5)
    return meaning


async def _find_fresh() -> Obstacle | None:
    async with _last.asking:
        if time.monotonic() >= _last.until:
            _last.obstacle = await _ask()
            _last.until = time.monotonic() + FRESH_SECONDS
    return _last.obstacle


async def _ask() -> Obstacle | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), side_engine.connect() as connection:
            *durability, current = (await connection.execute(_STATE)).one()
    except DATABASE_ERRORS as error:
        code = BEHIND if sqlstate(error) == _NO_SUCH_TABLE else UNAVAILABLE
        return Obstacle(code, explain(error))
    off = [name for name, value in zip(DURABILITY, durability, strict=True) if value == "off"]
    if off and settings.ENVIRONMENT == "production" and not settings.ALLOW_UNSAFE_DATABASE:
        reason = (
            f"PostgreSQL can lose what it has acknowledged, with {', '.join(off)} off: turn it on, "
            "or set ALLOW_UNSAFE_DATABASE=true"
        )
        return Obstacle(UNSAFE, reason)
    return _compare(current, migrations.head_revision())


def _compare(current: str | None, needed: str | None) -> Obstacle | None:
    """A revision that this program does not know is its successor's: until that runs, we go on."""
    if current == needed:
        return None
    if current is None or migrations.is_known(current):
        reason = f"the database is at revision {current}, not {needed}: run `app db upgrade`"
        return Obstacle(BEHIND, reason)
    if current != _last.newer:
        _last.newer = current
        log.warning("the schema is newer than this program", revision=current, known=needed)
    return None
