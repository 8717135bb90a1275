"""What several processes, and what is between, promise, broken on purpose."""

from tests.sabotage import Sabotage

THREE = "tests/faults/test_three_processes.py::"
POOLERS = "library/plumbline_tests/db/test_poolers.py::"
RECOGNISED = "library/plumbline_tests/cluster/recognised.py::"
STALE = "library/plumbline_tests/db/test_stale_plans.py::"
ROLLING = "library/plumbline_tests/cluster/rolling.py::"
HAPROXY = "tests/deploy/test_haproxy.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "count attempts for each process by itself",
        "library/plumbline/db/rate_limits.py",
        'f"{self.name}\\0{self.key}"',
        "f\"{self.name}\\0{self.key}\\0{__import__('os').getpid()}\"",
        THREE + "test_attempts_are_counted_for_all_processes_together",
    ),
    Sabotage(
        "say nothing of a PgBouncer that is not there",
        "library/plumbline/db/pooler.py",
        "[] if connection.is_pooled else [_NONE]",
        "[]",
        POOLERS + "test_pgbouncer_that_is_not_there_and_a_role_without_timeout_are_told_once",
    ),
    Sabotage(
        "prepare statements under the names that other processes use too",
        "library/plumbline/db/pooled_connection.py",
        'return f"{name}{self._token}"',
        "return name",
        POOLERS + "test_no_other_process_has_the_names_of_our_prepared_statements",
    ),
    Sabotage(
        "call a statement that a pooler has not kept a defect",
        "library/plumbline/db/errors.py",
        '"28P01", "28000", "26000"}',
        '"28P01", "28000"}',
        POOLERS + "test_statement_that_a_pooler_has_not_kept_is_the_operators_matter",
    ),
    Sabotage(
        "let HAProxy look too seldom for a service that is about to stop",
        "deploy/haproxy/haproxy.cfg",
        "inter 1s fall 2",
        "inter 2s fall 2",
        HAPROXY + "test_service_that_stops_is_left_before_it_refuses",
    ),
    Sabotage(
        "let HAProxy send a write again that may be stored",
        "deploy/haproxy/haproxy.cfg",
        "retry-on conn-failure",
        "retry-on conn-failure empty-response",
        HAPROXY + "test_nothing_is_sent_twice_and_what_was_not_sent_goes_to_the_other_service",
    ),
    Sabotage(
        "let PgBouncer keep the stale plans of reads",
        "library/plumbline/db/pooled_connection.py",
        "            await self.execute(_FORGET)",
        "            pass",
        STALE + "test_session_of_a_pooler_forgets_all_plans_at_once_outside_of_a_transaction",
    ),
    Sabotage(
        "let PgBouncer keep the stale plans of transactions",
        "library/plumbline/db/pooled_connection.py",
        "            query += _FORGET",
        '            query += ""',
        STALE
        + "test_session_of_a_pooler_forgets_all_plans_with_the_transaction_that_met_a_stale_one",
    ),
    Sabotage(
        "forget the open connections of a replica that is left",
        "library/plumbline/db/replica.py",
        '"opened": self._drivers.add',
        '"opened": id',
        "library/plumbline_tests/faults/test_replicas.py::"
        "test_read_of_a_replica_that_is_left_is_done_by_the_primary",
    ),
)

# Their tests need what `make cluster` installs, which tries them.
CLUSTERED: tuple[Sabotage, ...] = (
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
        "leave HAProxy no service while the schema is newer than the program",
        "library/plumbline/db/readiness.py",
        "if all(map(revisions.is_known, found)):",
        "if found:",
        ROLLING + "test_rolling_deploys_with_migrations_fail_no_request_behind_haproxy",
    ),
)
