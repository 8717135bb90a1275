"""A pytest plugin: how many tests run at once."""

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than the cores: many a test waits for a process or a timeout.

    PYTEST_XDIST_AUTO_NUM_WORKERS says another number, which pytest-xdist reads itself.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return len(os.sched_getaffinity(0)) + 1
