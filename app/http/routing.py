"""What every resource's routes share."""

from fastapi import APIRouter

from app.core.errors import Invalid, Malformed, Stale, Unavailable
from app.http.errors import problems
from app.http.idempotency import Route


def resource(name: str) -> APIRouter:
    """A router for `/api/v1/<name>`."""
    return APIRouter(
        prefix=f"/api/v1/{name}",
        tags=[name],
        route_class=Route,
        responses=problems(Malformed, Stale, Invalid, Unavailable),
    )
