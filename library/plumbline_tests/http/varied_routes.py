"""Routes with about every kind of signature that FastAPI knows; each tells what it was given."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer, SecurityScopes
from pydantic import AliasChoices, FiniteFloat, Json
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from plumbline.http.direct_routes import install_direct_routes
from plumbline.http.routing import ApiRoute, PathId
from plumbline_tests.http.varied_models import Color, Filter, Inner, Item, Told

router = APIRouter(route_class=ApiRoute)
happened: list[str] = []  # what ran, in order


def tell(*seen: object) -> Told:
    happened.append(f"answers {seen!r}")
    return Told(seen=repr(seen))


async def plain(q: int = 3, x_one: Annotated[str | None, Header()] = None) -> str:
    happened.append("plain")
    return f"{q} {x_one}"


async def nested(inner: Annotated[str, Depends(plain)], response: Response) -> str:
    happened.append(f"nested {inner}")
    response.headers["X-Nested"] = "yes"
    return inner.upper()


def in_thread(page: Annotated[int, Query(ge=1)] = 1) -> int:
    happened.append(f"in_thread {page}")
    return page


async def opened(request: Request) -> AsyncIterator[str]:
    happened.append("opens")
    try:
        yield request.method
    except HTTPException:
        happened.append("saw an error")
        raise
    finally:
        happened.append("closes")


async def refusing(token: Annotated[str, Header()] = "") -> str:
    if token == "bad":
        raise HTTPException(403, "Not with this token.", {"X-Refused": "yes"})
    return token


def opened_in_thread() -> Iterator[int]:
    happened.append("opens in a thread")
    yield 1
    happened.append("closes in a thread")


class Counting:
    async def __call__(self, background: BackgroundTasks, n: int = 0) -> int:
        background.add_task(happened.append, f"in the background {n}")
        return n


counting = Counting()


@router.get("/numbers/{one}/{color}/{key}")
async def get_numbers(one: int, color: Color, key: uuid.UUID, two: FiniteFloat = 0.5) -> Told:
    return tell(one, color, key, two)


@router.get("/ids/{post_id}", response_model=Told, response_model_exclude_none=True)
async def get_id(post_id: PathId, response: Response) -> Any:  # noqa: ANN401 - the model writes it
    response.headers["ETag"] = '"1"'
    response.status_code = 203
    return {"seen": str(post_id), "secret": 1}


@router.get("/texts/{text}", response_model_exclude_unset=True, response_model_by_alias=False)
async def get_text(
    text: Annotated[str, Path(max_length=5)],
    needed: bool,  # noqa: FBT001 - of a query
    made: Annotated[list[int], Query(default_factory=list)],
    *,
    maybe: str | None = None,
    many: Annotated[list[int] | None, Query()] = None,
    as_json: Annotated[Json[list[int]] | None, Query()] = None,
) -> Told:
    return tell(text, needed, maybe, many, as_json, made)


@router.get("/aliases")
async def get_alias(
    either: Annotated[int, Query(validation_alias=AliasChoices("one", "other"))] = 7,
) -> Told:
    return tell(either)


@router.get("/headers")
async def get_headers(
    x_count: Annotated[int, Header()],
    user_agent: Annotated[str, Header(max_length=30)] = "none",
    x_many: Annotated[list[str] | None, Header()] = None,
    strict: Annotated[str, Header(alias="X_Strict", convert_underscores=False)] = "-",
    session: Annotated[str | None, Cookie()] = None,
) -> Told:
    return tell(x_count, user_agent, x_many, strict, session)


@router.get("/filtered")
async def get_filtered(given: Annotated[Filter, Query()]) -> Told:
    return tell(given)


@router.post("/items", status_code=201)
async def create_item(item: Item, response: Response, dry: bool = False) -> Told:  # noqa: FBT001, FBT002
    response.headers["Location"] = f"/items/{len(item.name)}"
    if dry:
        response.status_code = 202
    return tell(item)


@router.put("/items/{item_id}")
async def replace_item(item_id: PathId, item: Item | None = None) -> Told:
    return tell(item_id, item)


@router.post("/several")
async def create_several(one: Item, two: Inner, three: Annotated[int, Body()]) -> Told:
    return tell(one, two, three)


@router.post("/anything")
async def create_anything(given: Annotated[Any, Body()], q: int) -> Told:  # noqa: ANN401
    return tell(given, q)


@router.post("/bytes")
async def create_bytes(given: Annotated[bytes, Body(media_type="text/plain")]) -> Told:
    return tell(given)


@router.post("/numbers")
async def create_numbers(given: list[int]) -> list[int]:
    return given


@router.post("/form")
async def send_form(name: Annotated[str, Form()], count: Annotated[int, Form()] = 1) -> Told:
    return tell(name, count)


@router.get("/dependent", dependencies=[Depends(plain), Depends(counting)])
async def get_dependent(
    one: Annotated[str, Depends(nested)],
    page: Annotated[int, Depends(in_thread)],
    again: Annotated[str, Depends(plain)],
    fresh: Annotated[str, Depends(plain, use_cache=False)],
    n: Annotated[int, Depends(counting)],
) -> Told:
    return tell(one, page, again, fresh, n)


@router.get("/opened/{post_id}")
async def get_opened(
    post_id: PathId,
    token: Annotated[str, Depends(refusing)],
    one: Annotated[str, Depends(opened, scope="function")],
    two: Annotated[str, Depends(opened)],
    three: Annotated[int, Depends(opened_in_thread)],
) -> Told:
    if post_id == 1:
        raise HTTPException(404)
    if post_id == 2:
        raise RuntimeError
    return tell(post_id, token, one, two, three)


@router.get("/connection")
async def get_connection(connection: HTTPConnection, request: Request) -> dict[str, Any]:
    return {"same": connection is request, "path": connection.url.path}


@router.get("/scoped")
async def get_scoped(scopes: SecurityScopes) -> Told:
    return tell(scopes.scopes)


@router.get("/bearer")
async def get_bearer(token: Annotated[object, Depends(HTTPBearer())]) -> Told:
    return tell(token)


@router.get("/direct")
async def get_direct(tasks: BackgroundTasks, response: Response, kind: int = 0) -> Response:
    response.headers["X-Lost"] = "yes"
    tasks.add_task(happened.append, "after")
    return PlainTextResponse(f"kind {kind}", status_code=203)


@router.get("/page", response_class=HTMLResponse)
async def get_page(response: Response, q: str = "") -> str:
    response.headers["X-Kept"] = "yes"
    return f"<p>{len(q)}"


@router.get("/as-json", response_class=JSONResponse)
async def get_as_json(q: FiniteFloat = 1.5) -> Told:
    return tell(q)


@router.get("/untyped")
async def get_untyped(q: int = 1):  # type: ignore[no-untyped-def] # noqa: ANN201 - without a model
    return {"q": q, "color": Color.BLUE, "key": uuid.UUID(int=q % 2**64 if q > 0 else 0)}


@router.delete("/items/{item_id}", status_code=204)
async def delete_item(item_id: PathId, response: Response) -> None:
    response.headers["X-Gone"] = str(item_id)


@router.get("/nothing")
async def get_nothing() -> None:
    return None


@router.get("/wrong")
async def get_wrong(q: int = 1) -> Told:
    return {"seen": q}  # type: ignore[return-value] # no text: a defect of the route


@router.get("/lines")
async def get_lines(n: Annotated[int, Query(le=3)] = 1) -> AsyncIterator[Told]:
    for each in range(n):
        yield tell(each)


@router.get("/thread")
def get_in_thread(q: int = 1) -> Told:
    return tell(q)


async def tell_all(_request: Request, error: Exception) -> Response:
    """Everything that FastAPI says of a wrong request."""
    assert isinstance(error, RequestValidationError)
    return PlainTextResponse(f"{error.errors()} {error.body!r} {error}", status_code=422)


def make_app(routes: Sequence[BaseRoute]) -> FastAPI:
    """Each route as it is, and once more where all depend on something else first."""
    app, included = FastAPI(redirect_slashes=False), APIRouter(routes=list(routes))
    app.router.routes.extend(routes)
    install_direct_routes(app)
    app.include_router(included, prefix="/included", dependencies=[Depends(refusing)])
    app.add_exception_handler(RequestValidationError, tell_all)
    return app
