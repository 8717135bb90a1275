"""The hook by which a conftest.py names its service."""

import pytest

from plumbline.testing.service import ServiceUnderTest


@pytest.hookspec(firstresult=True)
def pytest_plumbline_service() -> ServiceUnderTest | None:
    """The service of these tests; called once, when the run's database is there."""
