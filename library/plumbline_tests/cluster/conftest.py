"""The services are those of the sandbox, beside a cluster that is none of theirs."""

from plumbline_tests.faults.conftest import deployment
from plumbline_tests.faults.fixtures import _database, database, new_database, new_service, template

__all__ = ["_database", "database", "deployment", "new_database", "new_service", "template"]
