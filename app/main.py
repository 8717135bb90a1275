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
from app.core.config import SERVICE_NAME, settings
from app.core.production import find_risks, find_warnings
from app.db.session import close_connections
from app.db.state import privileges
from plumbline.db.readiness import find_obstacle
from plumbline.db.sweeping import sweep_for_ever
from plumbline.http import health
from plumbline.http.access import require_rules
from plumbline.http.bodies import Bodies
from plumbline.http.idempotency import Replay, on_replay
from plumbline.http.load_shedding import UNLIMITED, Admission
from plumbline.http.openapi import describe
from plumbline.http.problems import install_error_handlers
from plumbline.http.request_context import Envelope
from plumbline.http.shutdown import begin_at_sigterm
from plumbline.logging import configure_logging
from plumbline.metrics import reporting

log = structlog.stdlib.get_logger(__name__)

# Envelope counts and logs. FastAPI would mark the spans of the steps within a request as errors at
# an ordinary 4xx (docs/telemetry.md).
TRACES_ONLY: TelemetryConfig = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "exclude": lambda scope: scope.get("path") in UNLIMITED,  # probes
}


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Verify the connection; without one serve 503 until there is one (docs/adr/0005)."""
    if await find_obstacle() is None:  # it logs what it finds
        await privileges.warn()
    begin_at_sigterm()
    _leave_alone_what_stays()
    sweeper = asyncio.create_task(sweep_for_ever()) if settings.SWEEP_SECONDS else None
    async with reporting():
        yield
    if sweeper is not None:
        sweeper.cancel()
        await asyncio.wait([sweeper])
    await close_connections()


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
    for module in (posts, users, auth, audit, health, index):
        # Not include_router: that makes a tree, which FastAPI walks twice a request.
        app.router.routes.extend(module.router.routes)
    install_error_handlers(app)
    app.add_exception_handler(Replay, on_replay)
    bodies = Bodies(
        settings.MAX_BODY_BYTES, settings.MAX_WAITING_BYTES, settings.BODY_TIMEOUT_SECONDS
    )
    app.add_middleware(Admission, settings.MAX_RUNNING_REQUESTS, bodies)
    app.add_middleware(Envelope, app.routes)
    require_rules(app)
    describe(app)
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
