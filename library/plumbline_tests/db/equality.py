"""What a statement past the session has read, beside what the ORM has."""

from dataclasses import fields, is_dataclass
from typing import Any


def assert_equal(read: Any, stored: object) -> None:  # noqa: ANN401 - a dataclass or a value
    """Of a dataclass each field, by its `repr`: the type and the time zone too."""
    if not is_dataclass(read):
        assert repr(read) == repr(stored)
        return
    for field in fields(read):
        ours, theirs = getattr(read, field.name), getattr(stored, field.name)
        if is_dataclass(ours):
            assert_equal(ours, theirs)
        else:
            assert repr(ours) == repr(theirs), field.name
