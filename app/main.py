"""The assembly: `create_app()` is the whole service on one screen."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from app.api import audit, auth, index, posts, users
from app.api.oauth import add_error
from app.core.config import SERVICE_NAME, settings
from app.core.production import find_risks, find_warnings
from app.core.security import prepare
from app.db.schema import APPEND_ONLY, migrations
from app.db.session import AsyncSessionFactory, engine
from app.services.expiring import expiring
from plumbline.db.privileges import Privileges
from plumbline.db.readiness import Readiness
from plumbline.db.sweeping import sweep_for_ever
from plumbline.http.health import PROBES
from plumbline.http.install import install
from plumbline.http.shutdown import begin_at_sigterm
from plumbline.logging import configure_logging
from plumbline.metrics import reporting

log = structlog.stdlib.get_logger(__name__)

# RequestContextMiddleware counts and logs. FastAPI would mark the spans of the steps within a
# request as errors at an ordinary 4xx (docs/telemetry.md).
TRACES_ONLY: TelemetryConfig = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "exclude": lambda scope: scope.get("path") in PROBES,
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Verify the connection; without one serve 503 until there is one (docs/adr/0005)."""
    readiness: Readiness = app.state.readiness
    if await readiness.find_obstacle() is None:  # it logs what it finds
        await app.state.privileges.warn()
    begin_at_sigterm(settings)
    await asyncio.to_thread(prepare)
    _leave_alone_what_stays()
    async with reporting(), _sweeping():
        yield
    await engine.dispose()


@asynccontextmanager
async def _sweeping() -> AsyncIterator[None]:
    """Remove rows that have expired meanwhile, unless SWEEP_SECONDS is 0."""
    if not settings.SWEEP_SECONDS:
        yield
        return
    sweeping = sweep_for_ever(AsyncSessionFactory, expiring(), settings.SWEEP_SECONDS)
    sweeper = asyncio.create_task(sweeping)
    yield
    sweeper.cancel()
    await asyncio.wait([sweeper])


def create_app() -> FastAPI:
    is_production = settings.ENVIRONMENT == "production"
    configure_logging(production=is_production)
    if is_production:
        _refuse_risks()
    app = FastAPIOffline(
        title=SERVICE_NAME,
        version="1",
        description="Users and their posts. Every error is a problem document (RFC 9457).",
        servers=[{"url": settings.BASE_URL}],
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        redoc_url=None,
        telemetry=TRACES_ONLY,
        redirect_slashes=False,  # a redirect would name the host and scheme that the caller claims
    )
    for module in (posts, users, auth, audit, index):
        # Not include_router: that makes a tree, which FastAPI walks twice a request.
        app.router.routes.extend(module.router.routes)
    app.state.readiness = Readiness(engine, settings, migrations)
    app.state.privileges = Privileges(engine.control, settings, APPEND_ONLY)
    install(
        app,
        settings,
        app.state.readiness,
        extend_problem=add_error,
        when_ready=app.state.privileges.warn,
        counts_writes=True,
    )
    return app


def _leave_alone_what_stays() -> None:
    """Code and settings live to the end: under load Python looked them all through each second.

    Meanwhile no request was answered. What requests leave behind is looked through every 5,000
    objects, and not every 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000)


def _refuse_risks() -> None:
    """End the process when a setting is unsafe where others can reach the service."""
    if risks := find_risks(settings):
        raise SystemExit("\n".join(risks))
    for line in find_warnings(settings):
        log.warning(line)


app = create_app()
