"""The faults are those of the sandbox's service."""

import pytest

from plumbline_tests.faults.fixtures import (
    _database,
    _service,
    counted,
    database,
    new_database,
    new_proxy,
    new_replica,
    new_service,
    proxied,
    service,
    template,
)
from plumbline_tests.faults.service import Deployment
from plumbline_tests.faults.writers import WRITERS, add_writers, signed_in
from plumbline_tests.sandbox.database import migrations

__all__ = [
    "_database",
    "_service",
    "counted",
    "database",
    "new_database",
    "new_proxy",
    "new_replica",
    "new_service",
    "proxied",
    "service",
    "template",
]


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    return Deployment(
        "plumbline_tests.sandbox", migrations, add_writers, headers=signed_in(WRITERS[0])
    )
