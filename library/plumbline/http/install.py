"""All parts of the HTTP edge, in their usual order; each line adds one that can be added alone."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from plumbline.db.readiness import Readiness
from plumbline.http.access import require_rules
from plumbline.http.health import PROBES, health_router
from plumbline.http.idempotency import install_idempotency
from plumbline.http.load_shedding import Bodies, LoadSheddingMiddleware
from plumbline.http.openapi import customize_openapi
from plumbline.http.problems import Extend, install_problems
from plumbline.http.request_context import RequestContextMiddleware
from plumbline.settings import HttpSettings

# For FastAPI(telemetry=…): RequestContextMiddleware counts and logs, and FastAPI would mark the
# spans of the steps within a request as errors at an ordinary 4xx.
TRACES_ONLY: TelemetryConfig = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "exclude": lambda scope: scope.get("path") in PROBES,
}


def install(
    app: FastAPI,
    settings: HttpSettings,
    readiness: Readiness | None = None,
    *,
    extend_problem: Extend | None = None,
    when_ready: Callable[[], Awaitable[object]] | None = None,
    counts_writes: bool = False,
) -> None:
    """To be called when the application has its routes.

    `readiness` asks the database, `extend_problem` adds members to problem documents, `when_ready`
    is called each time that /readyz has found the database ready, and `counts_writes` documents
    the 429 of a service that counts writes (write_limit.py).
    """
    # Not include_router: that makes a tree, which FastAPI walks twice a request.
    app.router.routes.extend(health_router(readiness, when_ready).routes)
    install_problems(app, readiness, extend_problem)
    install_idempotency(app)
    bodies = Bodies(
        settings.MAX_BODY_BYTES, settings.MAX_WAITING_BYTES, settings.BODY_TIMEOUT_SECONDS
    )
    # What is added last is outermost: it gives every request its id, the refused ones as well.
    app.add_middleware(LoadSheddingMiddleware, settings.MAX_RUNNING_REQUESTS, bodies)
    app.add_middleware(RequestContextMiddleware, app.routes, settings)
    app.state.server_settings = settings  # for the connections of `app serve` (protocol.py)
    require_rules(app)
    customize_openapi(app, counts_writes=counts_writes)
