"""What partitions promise, broken on purpose."""

from tests.sabotage import Sabotage

PARTITIONS = "library/plumbline_tests/db/test_partitions.py::"
PARTITIONING = "library/plumbline/db/partitioning.py"
ADDING = "library/plumbline/db/partitions.py"
ODD = "library/plumbline_tests/db/test_odd_partitions.py::"
UNDER_LOAD = "tests/faults/test_partitioning.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "blame the caller for a partition that is missing",
        "library/plumbline/db/errors.py",
        "    if has_no_partition(cause):\n        return",
        "    if None:\n        return",
        UNDER_LOAD + "test_row_without_a_partition_is_a_503_and_the_log_says_what_to_do",
    ),
    Sabotage(
        "begin numbers again in a partitioned table",
        PARTITIONING,
        "AS IDENTITY ({numbers})",
        "AS IDENTITY",
        PARTITIONS + "test_table_keeps_all_that_it_has",
    ),
    Sabotage(
        "forget rights when a table becomes partitioned",
        PARTITIONING,
        "for query in (_OWNER, _GIVEN, _RIGHTS):",
        "for query in (_OWNER, _GIVEN):",
        PARTITIONS + "test_table_keeps_all_that_it_has",
    ),
    Sabotage(
        "partition a table and lose its policies",
        PARTITIONING,
        "    UNION ALL SELECT format('policy %s', polname) FROM pg_policy WHERE polrelid = :oid\n",
        "",
        PARTITIONS + "test_table_that_would_lose_something_is_refused",
    ),
    Sabotage(
        "lock a table before what it refers to",
        PARTITIONING,
        "dict.fromkeys([*referred, found.name])",
        "[found.name]",
        PARTITIONS + "test_request_that_has_locked_what_the_table_refers_to_goes_on",
    ),
    Sabotage(
        "grant rights to a partition itself",
        "library/plumbline/db/grants.py",
        ".difference(partitions, {MIGRATIONS_ONLY})",
        ".difference({MIGRATIONS_ONLY})",
        PARTITIONS + "test_role_of_the_application_has_no_rights_to_a_partition",
    ),
    Sabotage(
        "drop partitions that no model has",
        "library/plumbline/db/environment.py",
        'kind == "table" and (schema, name) in find()',
        "False",
        PARTITIONS + "test_partitions_are_no_difference_between_models_and_migrations",
    ),
    Sabotage(
        "count by one in a partitioned table, whatever the step was",
        PARTITIONING,
        "INCREMENT BY {rule.seqincrement} ",
        "",
        PARTITIONS + "test_table_keeps_all_that_it_has",
    ),
    Sabotage(
        "let default privileges widen the rights of a table",
        PARTITIONING,
        "for query in (_OWNER, _GIVEN, _RIGHTS):",
        "for query in (_OWNER, _RIGHTS):",
        PARTITIONS + "test_table_keeps_all_that_it_has",
    ),
    Sabotage(
        "partition a table and show its rows to those whom no policy lets see one",
        PARTITIONING,
        "CASE WHEN relrowsecurity OR relforcerowsecurity THEN",
        "CASE WHEN false THEN",
        ODD + "test_all_that_would_be_lost_is_named_at_once",
    ),
    Sabotage(
        "let functions read the first partition for the table",
        PARTITIONING,
        "THEN refobjid = :oid AND classid = 'pg_proc'::regclass",
        "THEN false",
        ODD + "test_all_that_would_be_lost_is_named_at_once",
    ),
    Sabotage(
        "partition what was not prepared",
        PARTITIONING,
        "if not connection.scalar(_PREPARED, about):",
        "if not about:",
        ODD + "test_table_that_was_not_prepared_to_the_end_stays_as_it_is",
    ),
    Sabotage(
        "let PostgreSQL cut names off",
        ADDING,
        "<= _LONGEST_NAME:",
        "<= 1000:",
        ODD + "test_names_may_be_as_long_and_odd_as_postgresql_lets_them",
    ),
    Sabotage(
        "take the months of the session's zone",
        ADDING,
        "ELSE upper::timestamp AT TIME ZONE 'UTC' END",
        "ELSE upper::timestamptz END",
        ODD + "test_months_are_those_of_utc_whatever_the_zone_of_the_session",
    ),
    Sabotage(
        "let two processes add the same partition, and one of them fail",
        ADDING,
        "            PERFORM pg_advisory_xact_lock(hashtext('plumbline.partitions'));\n",
        "",
        ODD + "test_two_processes_may_add_the_same_partition",
    ),
)
