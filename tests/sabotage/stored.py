"""Promises about what is stored, and about what a session can do, broken on purpose."""

from tests.sabotage import Sabotage

DB, TESTS = "library/plumbline/db/", "library/plumbline_tests/db/"
READS = TESTS + "test_read_sessions.py::"
OWNER = TESTS + "test_session_owner.py::"
ONE_TASK = TESTS + "test_one_task.py::"
CHANGES = TESTS + "test_changes.py::"
VERSIONS = TESTS + "test_versions.py::"
EXACT = "library/plumbline_tests/http/test_exact_values.py::"

_SESSIONS = (
    Sabotage(
        "let a read session write",
        DB + "before_statement.py",
        "        _choose_access(proxied, is_reading=is_reading)\n",
        "        _choose_access(driver, is_reading=False)\n",
        READS + "test_read_session_refuses_to_write_however_it_is_asked",
    ),
    Sabotage(
        "let a read session write behind PgBouncer",
        DB + "before_statement.py",
        "    elif is_reading and looks_like_writing(statement):\n",
        "    elif is_reading and not statement:\n",
        READS + "test_behind_pgbouncer_a_read_session_refuses_by_the_text",
    ),
    Sabotage(
        "write to a database that its operator made read-only",
        DB + "connection.py",
        'f"{LET_WRITE}{query}{ONLY_READ};"',
        "f\"{query.replace('BEGIN', 'BEGIN READ WRITE', 1)}{ONLY_READ};\"",
        TESTS + "test_statements.py::test_write_leaves_a_demoted_primary",
    ),
    Sabotage(
        "let a route end its transaction",
        DB + "session.py",
        "        self._session.sync_session.is_owned = True\n",
        "",
        OWNER + "test_route_that_ends_its_transaction_is_refused_before_it_happens",
    ),
    Sabotage(
        "give back a connection whose commit was refused",
        "library/plumbline/db/before_statement.py",
        "        connection.invalidate()\n        raise\n",
        "        raise\n",
        "library/plumbline_tests/db/test_session_owner.py"
        "::test_who_gets_the_connection_next_sees_nothing_of_what_was_refused",
    ),
    Sabotage(
        "let a route commit past its session",
        DB + "engine.py",
        '    event.listen(made.sync_engine, "commit", refuse_commit_by_another)\n',
        "",
        OWNER + "test_answer_that_nothing_was_stored_is_true",
    ),
    Sabotage(
        "leave to the next request what one has set",
        DB + "before_statement.py",
        "    driver.is_changed = True\n",
        "    driver.is_changed = False\n",
        TESTS + "test_session_state.py::test_nothing_is_left_for_the_next_request",
    ),
    Sabotage(
        "let two tasks use one session",
        DB + "session.py",
        "        if user is not task and (user is not None or self.is_ending):\n",
        "        if user is not task and self.is_ending:\n",
        ONE_TASK + "test_second_task_is_told_what_to_do",
    ),
    Sabotage(
        "let a statement run on after the block of its session",
        DB + "session.py",
        "            await self.end_other_task()\n",
        "            pass\n",
        ONE_TASK + "test_block_leaves_no_connection_and_no_statement",
    ),
    Sabotage(
        "keep a connection that could not be rolled back",
        DB + "session.py",
        "            for each in connections:  # so that it goes back, and is of no more use\n",
        "            for each in ():\n",
        ONE_TASK + "test_block_leaves_no_connection_and_no_statement",
    ),
    Sabotage(
        "take a second connection within a transaction",
        DB + "statements.py",
        "    return session.bind is engine and session.in_transaction() and session.is_active\n",
        "    return session is engine\n",
        TESTS
        + "test_reads_of_a_request.py::test_ten_requests_of_two_connections_read_while_they_write",
    ),
)

SABOTAGES: tuple[Sabotage, ...] = (
    *_SESSIONS,
    Sabotage(
        "track the first level of a value alone",
        DB + "tracking.py",
        "super().__init__({key: tracked(value, place) for key, value in values.items()})",
        "super().__init__(values)",
        CHANGES + "test_change_in_place_is_stored",
    ),
    Sabotage(
        "take what Python calls equal for the same",
        DB + "mapping.py",
        "            attribute.impl.is_equal = identical\n",
        "            pass\n",
        CHANGES + "test_change_in_place_is_stored",
    ),
    Sabotage(
        "lose what was put in and changed later",
        DB + "tracking.py",
        "        if not all(identical(original, then) for original, then in given):\n",
        "        if not given and given:\n",
        CHANGES + "test_original_that_is_changed_later_is_refused",
    ),
    Sabotage(
        "take a value that can change unseen",
        DB + "mapping.py",
        "    if type(value).__hash__ is None and not isinstance(value, dict | list):\n",
        "    if value is None and value:\n",
        CHANGES + "test_value_that_can_change_unseen_is_refused",
    ),
    Sabotage(
        "give a model a time without a zone",
        DB + "mapping.py",
        "    if isinstance(value, datetime) and value.tzinfo is None:\n",
        "    if value is None and value:\n",
        CHANGES + "test_time_without_a_zone_is_refused",
    ),
    Sabotage(
        "answer a number that is not stored",
        DB + "mapping.py",
        "        return _rounder(type_.scale, is_decimal=bool(type_.asdecimal))\n",
        "        return None\n",
        CHANGES + "test_answer_is_what_is_stored",
    ),
    Sabotage(
        "leave the version at an update()",
        DB + "mapping.py",
        "        version.onupdate = ColumnDefault(version + 1, for_update=True)\n",
        "        pass\n",
        VERSIONS + "test_change_moves_the_version",
    ),
    Sabotage(
        "let an upsert or a text forget the version",
        DB + "before_statement.py",
        "    if not forgotten:\n",
        "    if not forgotten or forgotten:\n",
        VERSIONS + "test_change_that_would_not_is_refused",
    ),
    Sabotage(
        "take a time without a zone",
        "library/plumbline/http/exact_values.py",
        '            return {"tz_constraint": "aware"}\n',
        "            return {}\n",
        EXACT + "test_payload_refuses_by_the_name_of_the_field",
    ),
    Sabotage(
        "take a number that is none",
        "library/plumbline/http/exact_values.py",
        '            return {"allow_inf_nan": False}\n',
        "            return {}\n",
        EXACT + "test_payload_refuses_by_the_name_of_the_field",
    ),
    Sabotage(
        "start with a parameter that takes NaN",
        "library/plumbline/http/routing.py",
        "        require_exact_parameters(self.dependant, self.path)\n",
        "",
        EXACT + "test_parameter_that_takes_more_stops_the_start",
    ),
    Sabotage(
        "start with models that fail later",
        "library/plumbline/http/install.py",
        "        require_models(readiness.models)\n",
        "        pass\n",
        TESTS + "test_model_rules.py::test_install_refuses_the_models_of_its_engine",
    ),
    Sabotage(
        "take a connection that was lost before a read for a defect",
        DB + "before_statement.py",
        "        proxied.dbapi_connection._handle_exception(error)  # noqa: SLF001",
        "        raise error  # noqa: SLF001",
        TESTS + "test_read_sessions.py"
        "::test_connection_that_is_lost_while_it_is_told_to_read_is_worth_another_try",
    ),
)
