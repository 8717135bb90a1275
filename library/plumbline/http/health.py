"""For load balancers and monitoring: `/livez`, `/readyz`, `/metrics`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.routing import BaseRoute, Match

from plumbline.db.readiness import Readiness
from plumbline.errors import Unavailable
from plumbline.holders import find_holders
from plumbline.http.access import ANONYMOUS
from plumbline.http.problems import error_responses, problem_response
from plumbline.http.routing import ApiRoute, operation_id
from plumbline.http.shutdown import process
from plumbline.metrics import exposition

PROBES = frozenset({"/livez", "/readyz", "/metrics"})


def install_health(
    app: FastAPI,
    readiness: Readiness | None = None,
    when_ready: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Add the three routes; a route that the application has for one of these paths stays.

    Where something of the application answers for every path, such as a folder of files, they go
    before it. Not by include_router: that makes a tree, which FastAPI walks twice a request.
    """
    for route in health_router(readiness, when_ready).routes:
        assert isinstance(route, APIRoute)
        taker = _find_taker(app, route.path)
        if taker is None:
            app.router.routes.append(route)
        elif getattr(taker, "path", None) != route.path:
            app.router.routes.insert(0, route)


def _find_taker(app: FastAPI, path: str) -> BaseRoute | None:
    """What would answer a GET of this path."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for context in iter_route_contexts(app.routes):
        match, _ = context.matches(scope)
        if match is Match.FULL:
            return context.original_route
    return None


def health_router(
    readiness: Readiness | None = None, when_ready: Callable[[], Awaitable[object]] | None = None
) -> APIRouter:
    """The three routes; without `readiness` a service is ready until it stops.

    `when_ready` is called each time that the database was found ready.
    """
    router = APIRouter(
        route_class=ApiRoute, tags=["health"], generate_unique_id_function=operation_id
    )

    @router.get("/livez", dependencies=[ANONYMOUS])
    async def livez() -> dict[str, str]:
        """The process answers. Never asks the database: its outage is no reason to restart us."""
        return {"status": "alive"}

    @router.get(
        "/readyz",
        response_model=dict[str, str],
        responses=error_responses(Unavailable),
        dependencies=[ANONYMOUS],
    )
    async def readyz() -> dict[str, str] | Response:
        """The database can be reached, is durable, and has the schema that this version needs.

        If not, the answer has a code; the reason is in the log, since it tells of settings.
        """
        if (refusal := await _find_refusal(readiness)) is not None:
            return problem_response(refusal)  # not raised: problems are another part
        if when_ready is not None:
            await when_ready()
        return {"status": "ready"}

    @router.get("/metrics", response_class=PlainTextResponse, dependencies=[ANONYMOUS])
    async def metrics(request: Request) -> Response:
        """Prometheus' text format: the sum over all workers."""
        # For `top`. Not a path of its own: who may see the metrics may see this.
        if request.query_params.get("holders") == "1":
            return JSONResponse([asdict(each) for each in find_holders()])
        return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)

    return router


async def _find_refusal(readiness: Readiness | None) -> Unavailable | None:
    if process.is_draining:
        return Unavailable("Not ready: this process is stopping.", retry_after_seconds=1)
    obstacle = None if readiness is None else await readiness.find_obstacle()
    if obstacle is None:
        return None
    return Unavailable(f"Not ready: {obstacle.code}.", retry_after_seconds=1)
