"""What resources share: patches, ids, JSON, and the document of their routes."""

from typing import Any

import pytest
from fastapi import FastAPI, Response
from pydantic import Field, ValidationError

from plumbline.http.access import ANONYMOUS
from plumbline.http.openapi import customize_openapi
from plumbline.http.pagination import PageView
from plumbline.http.resources import Ids, JsonObject, Patch, created
from plumbline.http.routing import IfMatch, OptionalIfMatch, PathId, Payload, View, resource


class SongCreate(Payload):
    title: str
    lyrics: str | None = None
    details: JsonObject = Field(default_factory=dict)
    list_ids: Ids = Field(default_factory=list)


class SongUpdate(Patch, SongCreate):
    """Fields that are absent stay as they are."""


@pytest.mark.parametrize(
    ("sent", "changes"),
    [
        ({}, {}),
        ({"title": "x"}, {"title": "x"}),
        ({"lyrics": None}, {"lyrics": None}),
        ({"list_ids": [3, 1, 3], "details": {"a": 1}}, {"list_ids": [1, 3], "details": {"a": 1}}),
    ],
)
def test_patch_has_what_was_sent(sent: dict[str, Any], changes: dict[str, Any]) -> None:
    assert SongUpdate(**sent).changes() == changes


@pytest.mark.parametrize("sent", [{"title": None}, {"title": 1}, {"other": 1}, {"list_ids": [0]}])
def test_patch_is_as_strict_as_what_it_changes(sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SongUpdate(**sent)


def test_patch_requires_nothing_and_has_no_defaults() -> None:
    schema = SongUpdate.model_json_schema()

    assert "required" not in schema
    assert "default" not in str(schema)
    assert SongCreate.model_json_schema()["required"] == ["title"]


def _deep(levels: int) -> dict[str, Any]:
    return {"a": _deep(levels - 1)} if levels > 1 else {}


@pytest.mark.parametrize(
    "value",
    [
        *({"a": "\0"}, {"\0": 1}, {"a": [{"b": "\ud800"}]}, {"a": float("inf")}, _deep(33)),
        *({"a": {"b": [float("nan")]}}, {"\udfff": 1}),
    ],
    ids=ascii,
)
def test_json_that_postgresql_or_json_does_not_have_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SongCreate(title="x", details=value)


@pytest.mark.parametrize("value", [{}, {"a": [1, 2.5, None, True, {"b": "ä\n"}]}, _deep(32)])
def test_other_json_is_taken(value: dict[str, Any]) -> None:
    assert SongCreate(title="x", details=value).details == value


class SongRead(View):
    id: int
    version: int


class SongPage(PageView[SongRead]): ...


router = resource("songs")


@router.get("", response_model=SongPage, dependencies=[ANONYMOUS])
async def list_songs() -> None: ...


@router.get("/{song_id}", response_model=SongRead, dependencies=[ANONYMOUS])
async def get_song(song_id: PathId) -> None: ...


@router.patch("/{song_id}", response_model=SongRead, dependencies=[ANONYMOUS])
async def update_song(song_id: PathId, check_version: IfMatch) -> None: ...


@router.delete("/{song_id}", status_code=204, dependencies=[ANONYMOUS])
async def delete_song(song_id: PathId, check_version: OptionalIfMatch) -> None: ...


@pytest.mark.parametrize(
    ("path", "method", "answers", "others"),
    [
        ("/api/v1/songs", "get", set(), {"304", "404", "428"}),
        ("/api/v1/songs/{song_id}", "get", {"304", "404"}, {"428"}),
        ("/api/v1/songs/{song_id}", "patch", {"404", "412", "428"}, {"304"}),
        ("/api/v1/songs/{song_id}", "delete", {"404", "412"}, {"304", "428"}),
    ],
)
def test_document_says_what_follows_from_what_a_route_takes(
    path: str, method: str, answers: set[str], others: set[str]
) -> None:
    app = FastAPI()
    app.router.routes.extend(router.routes)
    customize_openapi(app)

    found = app.openapi()["paths"][path][method]["responses"].keys()

    assert answers <= found
    assert not others & found


def test_new_row_is_answered_with_its_address_and_version() -> None:
    response = Response()

    row = created(response, router, SongRead(id=7, version=1))

    assert row.id == 7
    assert response.headers["Location"] == "/api/v1/songs/7"
    assert response.headers["ETag"] == '"1"'
