"""Each promise broken on purpose: one change of the code, and a test that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sabotage:
    """In `file`, `sound` becomes `broken`; then `test` must fail.

    It is one test, not a whole file, in which another one may fail because the machine is busy.
    What does not even start `says` so.
    """

    name: str
    file: str
    sound: str
    broken: str
    test: str
    says: str | None = None
