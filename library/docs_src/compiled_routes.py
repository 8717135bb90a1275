"""Routes that are compiled at the start."""

from fastapi import APIRouter, FastAPI

from plumbline import ApiRoute
from plumbline.http.direct_routes import left_to_fastapi

router = APIRouter(route_class=ApiRoute)


@router.get("/greetings/{name}")
async def get_greeting(name: str, polite: bool = True) -> dict[str, str]:  # noqa: FBT001, FBT002
    return {"greeting": f"Good day, {name}." if polite else f"Hi {name}!"}


app = FastAPI()
app.include_router(router)


for route, why in left_to_fastapi(app.routes).items():
    print(f"{route}: {why}")
