"""The faults are those of the sandbox's service."""

import pytest

from plumbline_tests.faults.fixtures import *  # noqa: F403
from plumbline_tests.faults.service import Deployment
from plumbline_tests.faults.writers import WRITERS, add_writers, signed_in
from plumbline_tests.sandbox.database import migrations


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    return Deployment(
        "plumbline_tests.sandbox", migrations, add_writers, headers=signed_in(WRITERS[0])
    )
