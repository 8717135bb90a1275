"""Promises about what an error means, broken on purpose."""

from tests.sabotage import Sabotage

DB, HTTP = "library/plumbline_tests/db/", "library/plumbline_tests/http/test_database_errors.py::"
LOST = "library/plumbline_tests/db/test_lost_connections.py::"
GROUPS = (
    "library/plumbline_tests/http/test_exception_groups.py::test_group_is_answered_as_its_errors"
)

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "know only some ways of not connecting",
        "library/plumbline/db/connecting.py",
        "        raise NotConnected(error) from error\n",
        "        raise\n",
        DB + "test_connecting.py::test_database_that_cannot_be_reached_is_unavailable",
    ),
    Sabotage(
        "take another system's error for the database's",
        "library/plumbline/db/errors.py",
        "    if not is_ours(error):\n        return None\n",
        "",
        HTTP + "test_error_of_another_system_is_a_500_and_runs_once",
    ),
    Sabotage(
        "take another engine's error for the database's",
        "library/plumbline/db/origin.py",
        "    return _MARK in vars(error)",
        "    return _MARK in vars(error) or isinstance(error, DBAPIError)",
        HTTP + "test_error_of_another_system_is_a_500_and_runs_once",
    ),
    Sabotage(
        "let a failed rollback hide the error",
        "library/plumbline/db/session.py",
        "            if not is_after_an_error or not isinstance(error, DBAPIError | OSError):\n"
        "                raise\n",
        "            raise\n",
        HTTP + "test_error_of_the_route_is_not_hidden_by_a_rollback_that_fails",
    ),
    Sabotage(
        "take a misspelt column for a database that is being set up",
        "library/plumbline/db/readiness.py",
        "if obstacle is not None and obstacle.code == BEHIND:",
        "if True:",
        HTTP + "test_wrong_sql_and_wrong_values_of_our_own_are_500s",
    ),
    Sabotage(
        "take a database that is being set up for a defect",
        "library/plumbline/db/readiness.py",
        "obstacle.code == BEHIND",
        'obstacle.code == "never"',
        "library/plumbline_tests/faults/test_defects.py"
        "::test_missing_column_is_a_defect_unless_the_schema_is_behind",
    ),
    Sabotage(
        "blame the caller for our own values",
        "library/plumbline/http/exception_handlers.py",
        " or not all(was_sent(request, v) for v in failures.values_refused(error))",
        "",
        HTTP + "test_wrong_sql_and_wrong_values_of_our_own_are_500s",
    ),
    Sabotage(
        "take a wrong type for the caller's value",
        "library/plumbline/db/values.py",
        '_OUR_DEFECTS = {"TypeError", "AttributeError", "KeyError"}',
        "_OUR_DEFECTS: set[str] = set()",
        HTTP + "test_wrong_sql_and_wrong_values_of_our_own_are_500s",
    ),
    Sabotage(
        "take every group of errors for a defect",
        "library/plumbline/http/exception_handlers.py",
        "    _handle(app, ExceptionGroup, _on_group)\n",
        "",
        GROUPS,
    ),
    Sabotage(
        "take a request whose client has gone for a defect, in a task group",
        "library/plumbline/http/request_context.py",
        "return all(isinstance(each, ClientDisconnect) for each in errors_in(error))",
        "return isinstance(error, ClientDisconnect)",
        "library/plumbline_tests/http/test_exception_groups.py::test_client_that_has_gone_is_no_defect",
    ),
    Sabotage(
        "hide a defect among other errors",
        "library/plumbline/http/exception_handlers.py",
        "if len(answers) < len(found):",
        "if not answers:",
        GROUPS,
    ),
    Sabotage(
        "take an array for one value",
        "library/plumbline/db/values.py",
        "    if isinstance(value, list | tuple):\n",
        "    if isinstance(value, tuple):\n",
        HTTP + "test_value_of_the_caller_that_cannot_be_stored_is_a_422_and_a_line_in_the_log",
    ),
    Sabotage(
        "take a document for one value",
        "library/plumbline/db/values.py",
        "yield from _wrong_in_document(value) or [value]",
        "yield value",
        HTTP + "test_document_of_the_caller_that_cannot_be_stored_is_a_422",
    ),
    Sabotage(
        "take a text that no index has room for as our own",
        "library/plumbline/db/values.py",
        "    if state == _TOO_LARGE:\n",
        "    if state is None:\n",
        HTTP + "test_value_of_the_caller_that_cannot_be_stored_is_a_422_and_a_line_in_the_log",
    ),
    Sabotage(
        "take a number of rows below zero as our own",
        "library/plumbline/db/values.py",
        "    if state in _NEGATIVE:\n",
        "    if state is None:\n",
        HTTP + "test_value_of_the_caller_that_cannot_be_stored_is_a_422_and_a_line_in_the_log",
    ),
    Sabotage(
        "refuse values without a line in the log",
        "library/plumbline/http/exception_handlers.py",
        'log.warning("value refused by the database"',
        'log.debug("value refused by the database"',
        HTTP + "test_value_of_the_caller_that_cannot_be_stored_is_a_422_and_a_line_in_the_log",
    ),
    Sabotage(
        "name no field of an index that is in no model",
        "library/plumbline/db/constraints.py",
        "    if (key := key_of(error.detail)) is not None:\n",
        "    if (key := key_of(error.detail)) is not None and False:\n",
        DB + "test_constraints.py::test_violation_says_what_is_wrong_with_which_field",
    ),
    Sabotage(
        "say of what is referred to that it does not exist",
        "library/plumbline/db/constraints.py",
        "    return bool(error.table_name) and str(error.table_name) in after\n",
        "    return False\n",
        DB + "test_constraints.py::test_violation_says_what_is_wrong_with_which_field",
    ),
    Sabotage(
        "take an overlap for a wrong value",
        "library/plumbline/db/errors.py",
        'if state == "23P01":',
        "if False:",
        DB + "test_constraints.py::test_violation_says_what_is_wrong_with_which_field",
    ),
    Sabotage(
        "log parameters in production",
        "library/plumbline/db/engine.py",
        '"hide_parameters": settings.ENVIRONMENT == "production"',
        '"hide_parameters": False',
        DB + "test_redaction.py::test_error_quotes_no_value_in_production",
    ),
    Sabotage(
        "log in production what PostgreSQL quotes",
        "library/plumbline/db/redaction.py",
        "return _QUOTED.sub(WITHHELD, message)",
        "return message",
        DB + "test_redaction.py::test_error_quotes_no_value_in_production",
    ),
    Sabotage(
        "log in production the row that was refused",
        "library/plumbline/db/redaction.py",
        '        vars(error)["detail"] = f"Key ({key})" if key else None\n',
        "",
        DB + "test_redaction.py::test_error_quotes_no_value_in_production",
    ),
    Sabotage(
        "tell anybody what is wrong with the settings",
        "library/plumbline/http/health.py",
        "{obstacle.code}",
        "{obstacle.reason}",
        "library/plumbline_tests/faults/test_start.py"
        "::test_service_waits_for_its_database_and_heals_by_itself",
    ),
    Sabotage(
        "log each probe",
        "library/plumbline/db/readiness.py",
        "if obstacle != self._logged:",
        "if True:",
        "library/plumbline_tests/faults/test_start.py"
        "::test_service_waits_for_its_database_and_heals_by_itself",
    ),
    Sabotage(
        "name problems as Python does",
        "library/plumbline/http/statuses.py",
        "    return STATUSES.get(status) or (",
        "    from http import HTTPStatus\n\n"
        "    return (HTTPStatus(status).phrase.lower().replace(' ', '-'), '', '') or (",
        "library/plumbline_tests/http/test_problem_types.py::test_status_that_nobody_thought_of_is_named_by_its_number",
    ),
    Sabotage(
        "explain every error as the database's",
        "library/plumbline/db/errors.py",
        "    if isinstance(error, AppError):\n        return error.detail\n",
        "",
        HTTP + "test_error_of_the_app_is_explained_by_its_own_words",
    ),
    Sabotage(
        "be not ready once the next version has migrated",
        "library/plumbline/db/readiness.py",
        "        if all(map(revisions.is_known, found)):\n",
        "        if True:\n",
        "library/plumbline_tests/faults/test_start.py"
        "::test_process_stays_ready_when_the_next_version_has_migrated",
    ),
    Sabotage(
        "believe asyncpg that a connection is open whose server was killed",
        "library/plumbline/db/engine.py",
        "if is_demoted or (isinstance(error, Exception) and has_lost_connection(error)):",
        "if is_demoted:",
        LOST + "test_connection_lost_in_a_statement_is_unavailable_and_passes",
    ),
    Sabotage(
        "take a server that closes new connections for a defect",
        "library/plumbline/db/pool.py",
        "if type(error) is InvalidRequestError:",
        "if False:",
        LOST + "test_server_that_closes_each_new_connection_is_unavailable",
    ),
    Sabotage(
        "drop all connections when the schema changes",
        "library/plumbline/db/errors.py",
        "    if is_stale(error):\n        return False\n",
        "",
        LOST + "test_stale_plan_is_no_lost_connection",
    ),
    Sabotage(
        "take a question that fails for the end of a transaction",
        "library/plumbline/db/commit_status.py",
        "                break\n",
        "                raise\n",
        LOST + "test_outcome_that_cannot_be_asked_for_is_unknown",
    ),
)
