"""Promises of the pytest plugin, broken on purpose."""

from tests.sabotage import Sabotage

TESTING = "library/plumbline/testing/"
PLUGIN = "library/plumbline_tests/testing/test_plugin.py::"
SOUND = PLUGIN + "test_sound_service_passes_all_proofs_and_leaves_nothing"
BROKEN = PLUGIN + "test_each_proof_fails_where_the_service_breaks_it"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "end idle connections of tests when their clients do",
        TESTING + "server.py",
        "timeout_keep_alive=KEEP_ALIVE_SECONDS",
        "timeout_keep_alive=5",
        "library/plumbline_tests/testing/test_server.py"
        "::test_idle_connection_is_ended_by_its_client_first",
    ),
    Sabotage(
        "run tests on any database",
        TESTING + "cluster.py",
        'if MARK not in re.split(r"[^a-z0-9]+", name.lower())',
        "if not name",
        "library/plumbline_tests/testing/test_plugin.py"
        "::test_database_without_a_mark_is_refused_before_anything_is_touched",
    ),
    Sabotage(
        "let two runs share their databases",
        TESTING + "cluster.py",
        "SELECT pg_try_advisory_lock(%s)",
        "SELECT true OR %s IS NULL",
        "library/plumbline_tests/testing/test_cluster.py::test_second_run_on_the_same_database_is_refused",
    ),
    Sabotage(
        "leave the databases of a run behind",
        TESTING + "cluster.py",
        "for name in _made(lock, cluster.prefix):",
        "for name in ():",
        SOUND,
    ),
    Sabotage(
        "stop the event loop while a database is dropped",
        TESTING + "cluster.py",
        "if (loop := self._resting_loop()) is None:",
        "if (loop := None) is None:",
        "library/plumbline_tests/testing/test_cluster.py"
        "::test_database_is_dropped_though_somebody_in_the_loop_is_half_connected",
    ),
    Sabotage(
        "empty one table after the other",
        TESTING + "rows.py",
        "            self._connection.execute(together.format(_COMMA.join(parts)))",
        "            for part in parts:\n"
        "                self._connection.execute(together.format(part))",
        SOUND,
    ),
    Sabotage(
        "forget the schema of a table when it is emptied",
        TESTING + "rows.py",
        "sql.Identifier(*filter(None, [table.schema, table.name]))",
        "sql.Identifier(table.name)",
        SOUND,
    ),
    Sabotage(
        "empty reference tables too",
        TESTING + "rows.py",
        "sorted(set(tables) - self._kept)",
        "sorted(set(tables))",
        "library/plumbline_tests/testing/test_tables.py::test_rows_of_reference_tables_stay",
    ),
    Sabotage(
        "make rows in any order",
        TESTING + "row_values.py",
        "return any(not column.nullable for column in missing), bool(missing)",
        "return False, bool(rows and missing)",
        SOUND,
    ),
    Sabotage(
        "see no 500",
        TESTING + "proofs/wrong_input.py",
        "return [told] if response.status_code >= 500 else []",
        "return []",
        BROKEN,
    ),
    Sabotage(
        "move migrations up and down without rows",
        TESTING + "proofs/migrations.py",
        "    _fill(url, service)\n\n    migrations.downgrade",
        "\n    migrations.downgrade",
        BROKEN,
    ),
    Sabotage(
        "count INCLUDE as an index of a foreign key",
        TESTING + "proofs/tables.py",
        "    AND i.indnkeyatts >= cardinality(k.conkey)\n",
        "",
        "library/plumbline_tests/testing/test_tables.py::test_index_serves_a_foreign_key",
    ),
    Sabotage(
        "look only at routes that the document has",
        TESTING + "proofs/access.py",
        "routes_without_rule(service.app) == []",
        "True",
        BROKEN,
    ),
    Sabotage(
        "take a moment that no UTC has for a defect",
        "library/plumbline/http/sent.py",
        "if isinstance(value, datetime):",
        "if value is None:",
        SOUND,
    ),
    Sabotage(
        "repeat the tag of a union that was sent",
        "library/plumbline/http/exception_handlers.py",
        'if error["type"] == "union_tag_invalid":',
        'if error["type"] == "nothing":',
        "library/plumbline_tests/testing/test_generator.py::test_wrong_values_of_every_type_are_refused_by_name",
    ),
    Sabotage(
        "migrate only tables without a schema",
        "library/plumbline/db/environment.py",
        "include_schemas=schemas != {None}",
        "include_schemas=False",
        SOUND,
    ),
)
