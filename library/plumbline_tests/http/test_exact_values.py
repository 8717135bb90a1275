"""A time from outside has a zone, and a number is finite: else it is refused, by name."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import pytest
from fastapi import Depends
from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    FiniteFloat,
    NaiveDatetime,
    ValidationError,
    create_model,
)

from plumbline.http.routing import Payload, resource

NAIVE, AWARE = "2026-01-01T00:00:00", "2026-01-01T00:00:00Z"


class Line(Payload):
    at: datetime = Field(default_factory=lambda: datetime.fromisoformat(AWARE))
    share: float = 0
    below: "list[Line]" = Field(default_factory=list)


class Name(BaseModel):
    """No Payload, and nothing in it needs one."""

    name: str = ""


class OrderIn(Payload):
    run_at: datetime | None = None
    times: dict[str, list[datetime]] = Field(default_factory=dict)
    share: Annotated[float, Field(ge=-1)] | None = None
    both: tuple[int, float] = (0, 0)
    line: Line | None = None
    lines: list[Line] = Field(default_factory=list)
    meant: NaiveDatetime | None = None
    names: list[Name] = Field(default_factory=list)


FIELDS: dict[str, Any] = {
    "run_at": {"run_at": NAIVE},
    "in a dict": {"times": {"x": [AWARE, NAIVE]}},
    "share": {"share": float("nan")},
    "infinite": {"share": float("inf")},
    "in a tuple": {"both": [1, float("nan")]},
    "in a model": {"line": {"at": NAIVE}},
    "in models": {"lines": [{"share": float("-inf")}]},
    "below": {"lines": [{"below": [{"at": NAIVE}]}]},
}


@pytest.mark.parametrize("field", FIELDS)
def test_payload_refuses_by_the_name_of_the_field(field: str) -> None:
    (name,) = FIELDS[field]
    with pytest.raises(ValidationError) as caught:
        OrderIn.model_validate(FIELDS[field])

    assert [each["type"] for each in caught.value.errors()] in (
        ["timezone_aware"],
        ["finite_number"],
    )
    assert caught.value.errors()[0]["loc"][0] == name


def test_payload_takes_what_is_exact_and_what_was_meant() -> None:
    given = {"run_at": AWARE, "meant": NAIVE, "share": 0.5, "lines": [{"at": AWARE, "share": 1}]}

    assert OrderIn.model_validate(given).model_dump(mode="json", exclude_unset=True) == given


class Plain(BaseModel):
    at: datetime


@dataclass
class Data:
    share: float


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (Plain, "Outer contains Plain, which takes a time without a zone: make Plain a Payload"),
        (list[Plain] | None, "Outer contains Plain"),
        (Data, "Outer contains Data, which takes NaN"),
    ],
)
def test_model_within_that_takes_more_is_refused_at_import(inner: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=message):
        create_model("Outer", __base__=Payload, inner=(inner, ...))


def test_document_is_as_before() -> None:
    described = OrderIn.model_json_schema()["properties"]

    assert described["run_at"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert "$ref" in str(described["line"])


def _since(since: datetime) -> datetime:
    return since


async def _query(since: datetime) -> None:
    """With a time."""


async def _header(share: Annotated[float | None, Field()] = None) -> None:
    """With a number."""


async def _below(since: Annotated[datetime, Depends(_since)]) -> None:
    """With a dependency."""


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (_query, "`since: datetime` takes a time without a zone: write pydantic's AwareDatetime"),
        (_header, "`share: float` takes NaN: write pydantic's FiniteFloat"),
        (_below, "/lab/x: `since: datetime`"),
    ],
)
def test_parameter_that_takes_more_stops_the_start(route: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=message):
        resource("lab", prefix="").get("/x")(route)


def test_parameter_that_is_exact_is_taken() -> None:
    router = resource("lab", prefix="")

    @router.get("/{share}")
    async def read(share: FiniteFloat, since: AwareDatetime | None = None) -> None: ...

    assert len(router.routes) == 1
