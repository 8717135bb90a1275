"""The table that `make bench` prints of its targets."""

import pytest

from benchmarks.lineup import CEILING, OURS
from benchmarks.targets import targets

PEER = "FastAPI + Tortoise"
LAYERS = {"the driver of this benchmark": 5, "asyncpg and the event loop": 50, "FastAPI": 90}


def _measured(cpu: float, rate: float) -> dict[str, object]:
    """One read, of which the ceiling takes 100 µs, and answers 1,000 a second."""

    def load(per_second: float) -> object:
        return {"one": {"32": [{"per_second": per_second}]}}

    return {
        "cpu": {CEILING.name: {"one": {"1": [100]}}, OURS.name: {"one": {"1": [cpu]}}},
        "load": {CEILING.name: load(1_000), OURS.name: load(rate), PEER: load(200)},
        "parts": {"one": LAYERS},
        "starts": {OURS.name: [0.4]},
        "memory": {OURS.name: 90},
    }


@pytest.mark.parametrize(
    ("cpu", "rate", "met"), [(150, 650, 4), (151, 650, 3), (150, 640, 3), (200, 500, 1)]
)
def test_target_is_met_or_names_the_layer_that_holds_it(cpu: float, rate: float, met: int) -> None:
    lines = targets(_measured(cpu, rate)).splitlines()

    assert lines[0] == f"**What was aimed at: {met} of 5 are met**"
    missed = [line for line in lines if "**missed**" in line]
    assert len(missed) == 5 - met
    assert all("FastAPI (40 µs)" in line or "the imports" in line for line in missed)
