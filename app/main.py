"""The assembly: `create_app()` is the whole service on one screen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app.api import audit, auth, index, posts, users
from app.core.config import SERVICE_NAME, settings
from app.core.production import require_safe_settings
from app.core.security import prepare
from app.db.schema import APPEND_ONLY, migrations
from app.db.session import AsyncSessionFactory, engine
from app.services.expiring import expiring
from plumbline.db.privileges import Privileges
from plumbline.db.readiness import Readiness
from plumbline.db.sweeping import sweeping
from plumbline.http.install import TRACES_ONLY, install
from plumbline.http.lifespan import service_lifespan
from plumbline.logging import configure_logging


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Verify the connection; without one serve 503 until there is one."""
    await asyncio.to_thread(prepare)
    living = service_lifespan(settings, app.state.readiness, app.state.warn_of_rights)
    async with living, sweeping(AsyncSessionFactory, expiring(), settings.SWEEP_SECONDS):
        yield
    await engine.dispose()


def create_app() -> FastAPI:
    configure_logging(production=settings.ENVIRONMENT == "production")
    require_safe_settings(settings)
    app = FastAPIOffline(
        title=SERVICE_NAME,
        version="1",
        description="Every error is a problem document (RFC 9457).",
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
    ready = app.state.readiness = Readiness(engine, settings, migrations)
    warn = app.state.warn_of_rights = Privileges(engine.control_engine, settings, APPEND_ONLY).warn
    extend = auth.extend_problem
    install(app, settings, ready, extend_problem=extend, when_ready=warn, counts_writes=True)
    return app


app = create_app()
