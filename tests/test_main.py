"""The assembly, as a process of its own."""

from app.main import app
from plumbline.http.install import TRACES_ONLY
from plumbline_tests.processes import new_python
from tests.core.test_production import SAFE

COUNT = """
import asyncio, gc
from app.main import app, lifespan

async def count():
    async with lifespan(app):
        frozen, left = gc.get_freeze_count(), len(gc.get_objects())
    print(frozen, left)

asyncio.run(count())
"""


def test_what_stays_is_not_looked_through_under_load() -> None:
    """A full collection stops all requests for as long as it has objects to look at."""
    process = new_python("-c", COUNT, **SAFE)
    assert process.returncode == 0, process.stderr[-3000:]

    frozen, left = map(int, process.stdout.split())

    assert frozen > 100_000
    assert left < frozen / 20


def test_service_is_traced_as_the_library_says() -> None:
    assert dict(app._telemetry) | TRACES_ONLY == dict(app._telemetry)
