"""Lengths that are settings: asked when a text comes, not when the module is imported."""

import unicodedata
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from plumbline.text import ComposedLength

bounds = {"least": 3, "most": 5}
Text = TypeAdapter(
    Annotated[str, ComposedLength(lambda: (bounds["least"], bounds["most"]))],
)
DECOMPOSED = unicodedata.normalize("NFD", "é")


def _code(text: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Text.validate_python(text)
    return caught.value.errors()[0]["type"]


def test_text_is_composed_and_then_counted() -> None:
    assert Text.validate_python(DECOMPOSED * 5) == "é" * 5
    assert _code(DECOMPOSED * 2) == "string_too_short"
    assert _code(DECOMPOSED * 6) == "string_too_long"
    assert _code("x" * 1_000_000) == "string_too_long"
    assert _code(7) == "string_type"


def test_bounds_are_those_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bounds, "least", 0)
    monkeypatch.setitem(bounds, "most", 7)

    schema: dict[str, Any] = Text.json_schema()

    assert Text.validate_python("x" * 7) == "x" * 7
    assert schema == {"type": "string", "maxLength": 7}
