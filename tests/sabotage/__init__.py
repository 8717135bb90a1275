"""Each promise broken on purpose: one change of the code, and a test that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sabotage:
    """In `file`, `sound` becomes `broken`; then `test` must fail."""

    name: str
    file: str
    sound: str
    broken: str
    test: str
