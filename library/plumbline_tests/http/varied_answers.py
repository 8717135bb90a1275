"""More varied routes: kinds of answers, of dependencies, of paths, and what both do together."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NotRequired,  # pydantic's, before Python 3.12
    TypeVar,
)

from fastapi import BackgroundTasks, Body, Cookie, Depends, Header, HTTPException, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, Field, RootModel, computed_field
from starlette.background import BackgroundTask
from typing_extensions import TypedDict

from plumbline_tests.http.varied_models import Inner, Told
from plumbline_tests.http.varied_routes import happened, refusing, router, tell

T = TypeVar("T")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9

    @computed_field
    def twice(self) -> int:
        return self.lives * 2


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = None


class Numbers(RootModel[list[int]]):
    pass


class Row(TypedDict):
    id: int
    note: NotRequired[str]


@dataclass
class Point:
    x: int
    y: int = 2


class Sent(BaseModel):
    x_one: str | None = None
    x_many: list[str] = []


class Kept(BaseModel):
    session: str | None = None


class Vendor(JSONResponse):
    media_type = "application/vnd.test+json"


class Paging:
    def __init__(self, page: int = 1, limit: Annotated[int, Query(le=10)] = 5) -> None:
        self.page, self.limit = page, limit


async def pet_of_body(pet: Annotated[Pet, Body()]) -> str:
    happened.append("pet_of_body")
    return pet.kind


async def swallowing(kind: str = "") -> AsyncIterator[str]:
    happened.append("swallowing opens")
    try:
        yield kind
    except ValueError:
        happened.append("swallowed")
    except HTTPException as error:
        raise HTTPException(409, f"instead of {error.status_code}") from error
    finally:
        happened.append("swallowing closes")


async def add(response: Response, n: int = 0) -> int:
    response.headers.append("X-Added", str(n))
    response.set_cookie("seen", "yes")
    if n > 2:
        response.status_code = 207
    return n


@router.get("/pets/{kind}")
async def get_pet(kind: str) -> Pet:
    return {"kind": kind, "name": None}  # type: ignore[return-value] # validated


@router.post("/pets", response_model_exclude_defaults=True)
async def create_pet(pet: Pet, kind: Annotated[str, Depends(pet_of_body)]) -> dict[str, Pet]:
    return {kind: pet}


@router.get("/pages", response_model_exclude={"items": {"__all__": {"twice"}}})
async def get_page(n: int = 1) -> Page[Pet]:
    return Page[Pet](items=[Cat(kind="cat", lives=n), Dog(kind="dog")])


@router.get("/roots")
async def get_numbers_of_root(q: Annotated[list[int], Query()] = [1]) -> Numbers:  # noqa: B006 - FastAPI copies it
    q.append(len(q))
    return Numbers(q)


@router.get("/rows", response_model=list[Row])
async def get_rows(q: str = "x") -> Any:  # noqa: ANN401 - the model writes it
    return [{"id": q, "note": q, "lost": 1}, {"id": 2}]


@router.get("/points")
async def get_point(n: int = 1) -> Point | list[Point] | None:
    return [Point(n), [Point(1), Point(2)], None][n % 3]  # type: ignore[return-value]


@router.get("/unions")
async def get_union(n: int = 0) -> int | float | str | None:
    return [1, 1.5, "text", None, float("nan")][n % 5]  # type: ignore[return-value]


@router.get("/vendor", response_class=Vendor, status_code=203)
async def get_vendor(n: Annotated[int, Depends(add)]) -> Point:
    return Point(n)


@router.get("/moved", response_class=RedirectResponse)
async def get_moved(q: str = "/x y") -> str:
    return q


@router.get("/statuses/{status}")
async def get_status(status: int, response: Response) -> dict[str, int]:
    response.status_code = status if status in {200, 201, 204, 205, 304, 418} else 202
    response.headers["Content-Type"] = "text/other"
    return {"status": status}


@router.get("/added")
async def get_added(one: Annotated[int, Depends(add)], tasks: BackgroundTasks) -> Response:
    tasks.add_task(happened.append, "not run")
    return JSONResponse(one, background=BackgroundTask(happened.append, "its own"))


@router.get("/streams")
async def get_stream(kind: Annotated[str, Depends(swallowing)]) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        happened.append("streams")
        yield kind
        if kind == "1":
            raise ValueError(kind)

    return StreamingResponse(lines())


@router.get("/swallowed")
async def get_swallowed(
    kind: Annotated[str, Depends(swallowing)],
    again: Annotated[str, Depends(swallowing, scope="function")],
) -> Told:
    if kind == "0":
        raise ValueError
    if kind == "1":
        raise HTTPException(404)
    return tell(kind, again)


@router.get("/paging")
async def get_paging(
    paging: Annotated[Paging, Depends()],
    other: Annotated[Paging, Depends(Paging)],
    part: Annotated[str, Depends(partial(refusing, token="given"))],
) -> Told:
    return tell(paging is other, paging.page, paging.limit, part)


@router.get("/sent")
async def get_sent(sent: Annotated[Sent, Header()], kept: Annotated[Kept, Cookie()]) -> Told:
    return tell(sent, kept)


@router.get("/files/{path:path}/{number:int}/{key:uuid}")
async def get_file(path: str, number: int, key: uuid.UUID) -> Told:
    return tell(path, number, key)


@router.put("/pets/{kind}")
async def put_pet(kind: str, inner: Annotated[list[Inner] | None, Body()] = None) -> Told:
    return tell(kind, inner)


@router.api_route("/pets/{kind}", methods=["HEAD", "OPTIONS"], include_in_schema=False)
async def ask_pet(kind: str, response: Response) -> None:
    response.headers["X-Kind"] = str(len(kind))


KEY = "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"
# What is seldom found by chance: the method, the path, the query and the body.
ODD: list[tuple[str, str, bytes, bytes]] = [
    *(("GET", f"/pets/{kind}", b"", b"") for kind in ("cat", "dog", "fish")),
    *((method, "/pets/cat", b"", b"") for method in ("HEAD", "OPTIONS", "DELETE")),
    *(("POST", "/pets", b"", body) for body in (b'{"kind": "cat", "lives": 3}', b'{"kind": "x"}')),
    *(
        ("GET", path, b"n=%d" % n, b"")
        for path in ("/points", "/unions", "/vendor")
        for n in (0, 1, 2, 3, 4)
    ),
    *(("GET", f"/statuses/{status}", b"", b"") for status in (200, 201, 204, 205, 304, 418)),
    *(("GET", path, b"kind=%d" % n, b"") for path in ("/swallowed", "/streams") for n in (0, 1, 2)),
    *(
        ("GET", path, b"", b"")
        for path in ("/pages", "/roots", "/rows", "/moved", "/added", "/paging", "/sent")
    ),
    ("GET", f"/files/a/b/7/{KEY}", b"", b""),
    ("GET", f"/files//x/{KEY}", b"", b""),
]
