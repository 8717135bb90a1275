"""Ports that nobody listens on."""

import random
import socket
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Ports below 32768: from there on the system gives them to outgoing connections."""
    numbers = iter(random.sample(range(10_000, 20_000), 1000))

    def free() -> int:
        for port in numbers:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)):
                    return port
        raise AssertionError("no free port")

    return free
