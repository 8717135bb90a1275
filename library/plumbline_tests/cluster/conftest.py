"""The services are those of the sandbox, beside a cluster that is none of theirs."""

from plumbline_tests.faults.conftest import deployment
from plumbline_tests.faults.fixtures import new_service

__all__ = ["deployment", "new_service"]
