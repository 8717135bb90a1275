"""Where the documentation is, for callers who know only the address: `/` and `/api/v1`."""

from fastapi import APIRouter, Request

from app.api.access import ANONYMOUS
from plumbline.http.routing import ApiRoute

router = APIRouter(route_class=ApiRoute)


# Not in the API document: a reader of that has found it.
@router.get("/", include_in_schema=False, dependencies=[ANONYMOUS])
@router.get("/api/v1", include_in_schema=False, dependencies=[ANONYMOUS])
async def get_index(request: Request) -> dict[str, str]:
    """Where to read on."""
    return {"title": request.app.title, "documentation": "/docs", "openapi": "/openapi.json"}
