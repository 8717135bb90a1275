"""All parts of the HTTP edge, in their usual order; each line adds one that can be added alone."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig

from plumbline import __version__
from plumbline.db import compared
from plumbline.db.after_commit import finish_acts
from plumbline.db.model_rules import require_models
from plumbline.db.readiness import Readiness
from plumbline.http import fastapi_inside
from plumbline.http.access import has_rules, require_rules
from plumbline.http.async_routes import require_async
from plumbline.http.commit_order import require_commit_before_response
from plumbline.http.direct_routes import install_direct_routes, left_to_fastapi
from plumbline.http.exception_handlers import install_problems
from plumbline.http.fastapi_inside import TRACES_ALONE
from plumbline.http.headers import api_pages
from plumbline.http.health import PROBES, install_health
from plumbline.http.idempotency import install_idempotency
from plumbline.http.load_shedding import install_load_shedding
from plumbline.http.openapi import customize_openapi
from plumbline.http.problems import ExtendProblem
from plumbline.http.request_context import install_request_context
from plumbline.http.shutdown import server_settings
from plumbline.http.uploads import require_uploads_on_disk
from plumbline.http.websocket_routes import require_websocket_dependencies
from plumbline.metrics import name_build
from plumbline.settings import HttpSettings

log = structlog.stdlib.get_logger(__name__)

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
    settings: HttpSettings | None = None,
    readiness: Readiness | None = None,
    *,
    extend_problem: ExtendProblem | None = None,
    when_ready: Callable[[], Awaitable[object]] | None = None,
    counts_writes: bool = False,
    may_commit_late: Collection[Callable[..., Any]] = (),
) -> None:
    """To be called when the application has its routes.

    Without `settings` they come from the environment. `readiness` asks the database,
    `extend_problem` adds members to problem documents, `when_ready` is called each time that
    /readyz has found the database ready, and `counts_writes` documents the 429 of a service that
    counts writes (WriteCounts). Dependencies in `may_commit_late` may commit after the response.

    RuntimeError for a route that commits after its response, runs in a thread (`require_async`),
    keeps uploads in memory, or would not keep the answer to an Idempotency-Key, for a websocket
    that takes a session (`require_websocket_dependencies`), or, once one route has an access rule,
    for one that has none; and for models that fail later (`require_models`), where `readiness` is
    about an engine that knows its `models`.
    """
    if readiness is not None:
        require_models(readiness.models)
    settings = HttpSettings() if settings is None else settings
    uses_rules = has_rules(app)
    install_direct_routes(app)
    install_health(app, readiness, when_ready)
    install_problems(app, readiness, extend_problem)
    install_idempotency(app)
    _add_middlewares(app, settings, readiness)
    name_build(app.title, settings.BUILD_REVISION, __version__)
    app.state.server_settings = settings  # for the connections of `serve` (protocol.py)
    if uses_rules:
        require_rules(app)
    customize_openapi(app, counts_writes=counts_writes)
    _ask_pages_last(app)
    _require_of_routes(app, may_commit_late)
    _add_to_lifespan(app, may_commit_late)
    if settings.TRACES:
        _add_traces(app, settings)


def _add_middlewares(app: FastAPI, settings: HttpSettings, readiness: Readiness | None) -> None:
    """What is added last is outermost: it gives every request its id, the refused ones as well.

    What only some need is imported here, so that the others pay nothing for it.
    """
    is_development = settings.ENVIRONMENT != "production"
    if is_development:
        from plumbline.http.statement_watch import install_statement_watch  # noqa: PLC0415

        install_statement_watch(app, settings)
    install_load_shedding(app, settings)
    if readiness is not None and readiness.replicas is not None:
        from plumbline.http.consistency import install_consistency  # noqa: PLC0415

        install_consistency(app, readiness.replicas, base_url=settings.BASE_URL)
    if is_development:
        from plumbline.http.statement_watch import install_server_timing  # noqa: PLC0415

        install_server_timing(app, settings)
    install_request_context(app, settings)


def _ask_pages_last(app: FastAPI) -> None:
    """Each request asks the routes in turn, and few mean a page of the API itself.

    Not where a route begins with a parameter, or something is mounted at the root: it could mean
    such a page as well.
    """
    paths = [each.path or "" for each in iter_route_contexts(app.routes)]
    if not any(not path or path.startswith("/{") for path in paths):
        pages = api_pages(app.routes)
        app.router.routes.sort(key=lambda each: getattr(each, "path", None) in pages)


def _require_of_routes(app: FastAPI, may_commit_late: Collection[Callable[..., Any]]) -> None:
    require_async(app)
    require_uploads_on_disk(app)
    require_websocket_dependencies(app)
    require_commit_before_response(app, except_for=may_commit_late)


def _add_to_lifespan(app: FastAPI, may_commit_late: Collection[Callable[..., Any]]) -> None:
    """Look once more at the start, at routes that were added after `install`; finish at the end.

    Before the end of the service's own lifespan, which disposes of the engine.
    """
    run = app.router.lifespan_context

    @asynccontextmanager
    async def check_run_and_finish(of: Any) -> AsyncIterator[Mapping[str, Any] | None]:  # noqa: ANN401 - Starlette's
        _require_of_routes(app, may_commit_late)
        async with run(of) as state:
            left_to_fastapi(app.routes)  # compiles the others now, not with their first requests
            _tell_what_is_not_passed_by()
            yield state
            await finish_acts(server_settings(app).STOP_TIMEOUT_SECONDS)

    app.router.lifespan_context = check_run_and_finish  # type: ignore[assignment] # its two kinds in one


def _tell_what_is_not_passed_by() -> None:
    """One line for each: nothing is wrong, but requests cost more than they could."""
    if (of_routes := fastapi_inside.find_difference()) is not None:
        log.warning("FastAPI answers all routes itself, slower", because=of_routes)
    if (of_database := compared.find_difference()) is not None:
        log.warning("SQLAlchemy runs all transactions itself, slower", because=of_database)


def _add_traces(app: FastAPI, settings: HttpSettings) -> None:
    """Around all else of the lifespan, whose connections and acts have spans."""
    try:  # here, since a service without traces has no SDK
        from plumbline.trace_export import traces  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeError(
            f"TRACES={settings.TRACES} needs the SDK: pip install 'plumbline-fastapi[telemetry]'"
        ) from error
    setattr(app.state, TRACES_ALONE, True)
    run = app.router.lifespan_context

    @asynccontextmanager
    async def run_traced(of: Any) -> AsyncIterator[Mapping[str, Any] | None]:  # noqa: ANN401 - Starlette's
        async with traces(settings, app.title), run(of) as state:
            yield state

    app.router.lifespan_context = run_traced  # type: ignore[assignment] # its two kinds in one
