"""What several processes and a pooler between promise, broken on purpose."""

from tests.sabotage import Sabotage

THREE = "tests/faults/test_three_processes.py::"
POOLERS = "library/plumbline_tests/db/test_poolers.py::"
RECOGNISED = "library/plumbline_tests/cluster/recognised.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "count attempts for each process by itself",
        "library/plumbline/db/rate_limits.py",
        'f"{self.name}\\0{self.key}"',
        "f\"{self.name}\\0{self.key}\\0{__import__('os').getpid()}\"",
        THREE + "test_attempts_are_counted_for_all_processes_together",
    ),
    Sabotage(
        "take a pooler that lends by transaction for the server itself",
        "library/plumbline/db/pooler.py",
        "if await _find_backend(connection) == await _find_backend(another):",
        "if await _find_backend(connection) is await _find_backend(another):",
        RECOGNISED + "test_pooler_in_transaction_mode_is_refused_in_one_line_and_left_as_it_was",
    ),
    Sabotage(
        "make the session of others read-only before looking for a pooler",
        "library/plumbline/db/read_only.py",
        "CASE WHEN pg_backend_pid() = {{}} ",
        "CASE WHEN pg_backend_pid() <> {{}} OR true ",
        RECOGNISED + "test_pooler_in_transaction_mode_is_refused_in_one_line_and_left_as_it_was",
    ),
    Sabotage(
        "say nothing of a PgBouncer that is not there",
        "library/plumbline/db/pooler.py",
        "[] if connection.is_pooled else [_NONE]",
        "[]",
        POOLERS + "test_pgbouncer_that_is_not_there_and_a_role_without_timeout_are_told_once",
    ),
)
