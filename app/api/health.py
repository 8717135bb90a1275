"""For load balancers and monitoring: `/livez`, `/readyz`, `/metrics`."""

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.core.errors import Unavailable
from app.core.metrics import exposition
from app.db.privileges import warn_of_rights
from app.db.readiness import find_obstacle
from app.http.access import ANONYMOUS
from app.http.drain import is_draining
from app.http.errors import problems
from app.http.idempotency import Route

router = APIRouter(route_class=Route, tags=["health"])


@router.get("/livez", **ANONYMOUS)
async def livez() -> dict[str, str]:
    """The process answers. Never asks the database: its outage is no reason to restart us."""
    return {"status": "alive"}


@router.get("/readyz", responses=problems(Unavailable), **ANONYMOUS)
async def readyz() -> dict[str, str]:
    """The database can be reached, is durable, and has the schema that this version needs."""
    if is_draining():
        raise Unavailable("Not ready: this process is stopping.", retry_after_seconds=1)
    if (obstacle := await find_obstacle()) is not None:
        raise Unavailable(f"Not ready: {obstacle}.", retry_after_seconds=1)
    await warn_of_rights()
    return {"status": "ready"}


@router.get("/metrics", response_class=Response, **ANONYMOUS)
async def metrics() -> Response:
    """Prometheus' text format: the sum over all workers."""
    return Response(await asyncio.to_thread(exposition), media_type=CONTENT_TYPE_LATEST)
