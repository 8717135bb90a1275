"""The faults are those of the service."""

import pytest

from app.db.schema import migrations
from plumbline_tests.faults.fixtures import *  # noqa: F403
from plumbline_tests.faults.service import Deployment
from tests.faults.writers import WRITERS, add_writers, signed_in
from tests.people import refuse_secrets


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    return Deployment(
        "app.cli",
        migrations,
        add_writers,
        headers=signed_in(WRITERS[0]),
        settings={"WRITE_LIMIT_PER_USER": "0"},  # few, who write a lot
        check_log=refuse_secrets,
    )
