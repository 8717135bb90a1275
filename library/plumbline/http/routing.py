"""What every resource's routes share."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from plumbline.errors import Invalid, Malformed, Stale, Unavailable
from plumbline.http.idempotency import Route
from plumbline.http.problems import problems


def operation_id(route: APIRoute) -> str:
    """The route's name, as programs in other languages write it: `createPost`."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)


def resource(name: str) -> APIRouter:
    """A router for `/api/v1/<name>`."""
    return APIRouter(
        prefix=f"/api/v1/{name}",
        tags=[name],
        route_class=Route,
        generate_unique_id_function=operation_id,
        responses=problems(Malformed, Stale, Invalid, Unavailable),
    )
