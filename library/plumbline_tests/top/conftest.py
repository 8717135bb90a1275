"""An address where nothing listens."""

import pytest

from plumbline_tests.faults.fixtures import FreePort


@pytest.fixture
def free(free_port: FreePort) -> str:
    return f"http://127.0.0.1:{free_port()}"
