"""For load balancers and monitoring: `/livez`, `/readyz`, `/metrics`."""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from app.db.state import privileges
from plumbline.db.readiness import find_obstacle
from plumbline.errors import Unavailable
from plumbline.http.access import ANONYMOUS
from plumbline.http.idempotency import Route
from plumbline.http.problems import problems
from plumbline.http.routing import operation_id
from plumbline.http.shutdown import is_draining
from plumbline.metrics import exposition

router = APIRouter(route_class=Route, tags=["health"], generate_unique_id_function=operation_id)


@router.get("/livez", dependencies=[ANONYMOUS])
async def livez() -> dict[str, str]:
    """The process answers. Never asks the database: its outage is no reason to restart us."""
    return {"status": "alive"}


@router.get("/readyz", responses=problems(Unavailable), dependencies=[ANONYMOUS])
async def readyz() -> dict[str, str]:
    """The database can be reached, is durable, and has the schema that this version needs.

    If not, the answer has a code; the reason is in the log, since it tells of settings.
    """
    if is_draining():
        raise Unavailable("Not ready: this process is stopping.", retry_after_seconds=1)
    if (obstacle := await find_obstacle()) is not None:
        raise Unavailable(f"Not ready: {obstacle.code}.", retry_after_seconds=1)
    await privileges.warn()
    return {"status": "ready"}


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[ANONYMOUS])
async def metrics() -> Response:
    """Prometheus' text format: the sum over all workers."""
    return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)
