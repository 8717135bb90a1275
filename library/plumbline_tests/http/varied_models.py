"""What the varied routes take and give."""

from enum import Enum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, FiniteFloat

from plumbline.http.routing import Payload, View


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Filter(BaseModel):
    model_config = {"extra": "forbid"}

    limit: int = Field(10, gt=0, le=100)
    tags: list[str] = []


class Inner(Payload):
    number: int
    ratio: FiniteFloat | None = None


class Item(Payload):
    name: str = Field(min_length=1, max_length=20)
    color: Color = Color.RED
    inner: list[Inner] = Field(default_factory=list)
    at: AwareDatetime | None = None
    kind: Literal["a", "b"] = "a"
    price: Annotated[int, Field(alias="priceInCents", ge=0)] = 0


class Told(View):
    """Has an alias, a default and what is left out."""

    seen: str
    left_out: int | None = None
    other_name: Annotated[str, Field(serialization_alias="otherName")] = "x"
