"""The guard: what a request costs, in exact counts (benchmarks/README.md has the times).

pytest -n0 tests/test_speed.py prints them.
"""

import json

from plumbline_tests.processes import new_python
from plumbline_tests.torture import Figure
from tests import measured
from tests.core.test_production import SAFE

# Without traces: FastAPI asks once in each request whether there is a TracerProvider.
BOUNDS = {
    "GET /posts/{id}": {"calls": 291, "memory_bytes": 14_500, "garbage": 0, "tracing": 1},
    "GET /posts?limit=20": {"calls": 417, "memory_bytes": 39_000, "garbage": 0, "tracing": 1},
    "GET /users/me": {"calls": 309, "memory_bytes": 15_200, "garbage": 0, "tracing": 1},
    "POST /posts": {"calls": 666, "memory_bytes": 26_500, "garbage": 0, "tracing": 1},
}

measured_url = measured.measured_url  # a fixture


def test_request_costs_no_more_than_it_did(measured_url: str, figure: Figure) -> None:
    production = SAFE | {"ALLOWED_HOSTS": "127.0.0.1", "ALLOW_UNSAFE_DATABASE": "true"}
    process = new_python("-m", "tests.speed", **production | {"DATABASE_URL": measured_url})
    assert process.returncode == 0, process.stderr[-3000:]
    told = json.loads(process.stdout)
    costs: dict[str, dict[str, int]] = told["costs"]
    for work, cost in costs.items():
        figure(work, cost)

    excess = [
        f"{work} takes {cost[kind]} {kind}, and may take {BOUNDS[work][kind]}"
        for work, cost in costs.items()
        for kind in cost
        if cost[kind] > BOUNDS[work][kind]
    ]

    assert costs.keys() == BOUNDS.keys()
    assert told["loaded"] == [], "none of these requests needs it, and it takes memory and time"
    assert not excess, "; ".join([*excess, "`make bench` looks closer"])
