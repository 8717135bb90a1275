"""What partitions promise, broken on purpose."""

from tests.sabotage import Sabotage

PARTITIONS = "library/plumbline_tests/db/test_partitions.py::"
PARTITIONING = "library/plumbline/db/partitioning.py"
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
        "AS IDENTITY (START WITH {number})",
        "AS IDENTITY",
        PARTITIONS + "test_table_keeps_all_that_it_has",
    ),
    Sabotage(
        "forget rights when a table becomes partitioned",
        PARTITIONING,
        "    yield from connection.scalars(_RIGHTS, about).all()\n",
        "",
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
)
