"""Whether the database can be used as it is; asked by load balancers, so it must stay cheap."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy import text

from plumbline.db.engine import Engine, require_engine
from plumbline.db.errors import (
    DATABASE_ERRORS,
    classify,
    does_not_fit_the_schema,
    explain,
    sqlstate,
    upgrade_command,
)
from plumbline.db.origin import models_of_dialect
from plumbline.db.turns import PerLoop
from plumbline.errors import AppError, OperatorError, Unavailable
from plumbline.settings import DatabaseSettings

PATIENCE_SECONDS = 0.5  # a probe that waits longer is not answered by most who ask
FRESH_SECONDS = 1.0

# With one of them off PostgreSQL acknowledges what a crash or a power failure undoes.
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")

UNAVAILABLE, UNSAFE = "database-unavailable", "database-unsafe"
BEHIND = "schema-behind"
_NO_SUCH_TABLE = "42P01"

_STATE = "SELECT " + ", ".join(f"current_setting('{name}')" for name in DURABILITY)
# Several when branches that are not merged have been migrated, each by itself.
_REVISION = "ARRAY(SELECT version_num FROM alembic_version)"
_UNSAFE = (
    "PostgreSQL can lose what it has acknowledged, with {} off: turn it on, "
    "or set ALLOW_UNSAFE_DATABASE=true"
)

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`code` may be told to anybody; `reason` is for the log: what is wrong, and what to do."""

    code: str
    reason: str


class Revisions(Protocol):
    """The migrations of a service, of which the database has done some."""

    def head_revision(self) -> str | None:
        """The one that the program's models are written for; OperatorError when several are."""
        ...

    def is_known(self, revision: str) -> bool:
        """Whether the program has the script of it."""
        ...


class Readiness:
    """Whether the database of `engine` can be used; with `revisions` also whether it is migrated.

    Many probes ask the database once: an answer is good for FRESH_SECONDS.
    """

    def __init__(
        self, engine: Engine, settings: DatabaseSettings, revisions: Revisions | None = None
    ) -> None:
        require_engine(engine, "Readiness")
        self._engine = engine
        self.replicas = engine.replicas
        self.models = models_of_dialect(engine.dialect)  # those that `create_engine` was given
        self._must_last = (
            settings.ENVIRONMENT == "production" and not settings.ALLOW_UNSAFE_DATABASE
        )
        self._revisions = revisions
        self._upgrade = upgrade_command(settings.PROGRAM)
        self._state = text(_STATE if revisions is None else f"{_STATE}, {_REVISION}")
        self._obstacle: Obstacle | None = None
        self._logged: Obstacle | None = None
        self._newer: str | None = None  # the revision that was logged as newer
        self._fresh_until = 0.0
        self._asking = PerLoop(asyncio.Lock)

    async def find_obstacle(self) -> Obstacle | None:
        """Why the database cannot be used; None when it can. Each change is a line in the log."""
        obstacle = await self._find_fresh()
        if obstacle != self._logged:
            self._logged = obstacle
            if obstacle is None:
                log.info("ready again")
            else:
                log.error("not ready", code=obstacle.code, reason=obstacle.reason)
        return obstacle

    async def classify(self, error: BaseException) -> AppError | None:
        """As `classify`; a statement that does not fit a schema that is behind is no defect."""
        if (meaning := classify(error)) is None and does_not_fit_the_schema(error):
            obstacle = await self._find_fresh()
            if obstacle is not None and obstacle.code == BEHIND:
                return Unavailable("The database is being set up.", retry_after_seconds=5)
        return meaning

    def forget(self) -> None:
        """Ask the database the next time, however fresh the last answer is."""
        self._fresh_until = 0.0

    async def _find_fresh(self) -> Obstacle | None:
        async with self._asking.here():
            if time.monotonic() >= self._fresh_until:
                self._obstacle = await self._ask()
                self._fresh_until = time.monotonic() + FRESH_SECONDS
        return self._obstacle

    async def _ask(self) -> Obstacle | None:
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self._engine.control_engine.connect() as connection,
            ):
                found = (await connection.execute(self._state)).one()
        except DATABASE_ERRORS as error:
            code = BEHIND if sqlstate(error) == _NO_SUCH_TABLE else UNAVAILABLE
            return Obstacle(code, explain(error))
        off = [name for name, value in zip(DURABILITY, found, strict=False) if value == "off"]
        if off and self._must_last:
            return Obstacle(UNSAFE, _UNSAFE.format(", ".join(off)))
        return self._compare(found[-1], self._revisions) if self._revisions else None

    def _compare(self, found: list[str], revisions: Revisions) -> Obstacle | None:
        """A revision that this program does not know is its successor's: until that runs, go on."""
        try:
            needed = revisions.head_revision()
        except OperatorError as error:
            return Obstacle(BEHIND, str(error))
        current = ", ".join(sorted(found)) or None
        if current == needed:
            return None
        if all(map(revisions.is_known, found)):
            reason = f"the database is at revision {current}, not {needed}: run `{self._upgrade}`"
            return Obstacle(BEHIND, reason)
        if current != self._newer:
            self._newer = current
            log.warning("the schema is newer than this program", revision=current, known=needed)
        return None
