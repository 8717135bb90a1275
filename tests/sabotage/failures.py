"""Promises about what an error means, broken on purpose."""

from tests.sabotage import Sabotage

DB, HTTP = "tests/db/", "tests/http/test_database_errors.py::"
LOST = "tests/db/test_lost_connections.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "know only some ways of not connecting",
        "app/db/connection.py",
        "        raise NotConnected(error) from error\n",
        "        raise\n",
        DB + "test_connecting.py",
    ),
    Sabotage(
        "take another system's error for the database's",
        "app/db/failures.py",
        "    if not is_ours(error):\n        return None\n",
        "",
        HTTP + "test_error_of_another_system_is_a_500_and_runs_once",
    ),
    Sabotage(
        "take another engine's error for the database's",
        "app/db/origin.py",
        "    return _MARK in error.__dict__",
        "    return _MARK in error.__dict__ or isinstance(error, DBAPIError)",
        HTTP + "test_error_of_another_system_is_a_500_and_runs_once",
    ),
    Sabotage(
        "let a failed rollback hide the error",
        "app/db/session.py",
        "            if error[0] is None:\n                raise\n",
        "            raise\n",
        HTTP + "test_error_of_the_route_is_not_hidden_by_a_rollback_that_fails",
    ),
    Sabotage(
        "take a misspelt column for a database that is being set up",
        "app/db/readiness.py",
        "if obstacle is not None and obstacle.code == BEHIND:",
        "if True:",
        HTTP + "test_wrong_sql_and_wrong_values_of_our_own_are_500s",
    ),
    Sabotage(
        "take a database that is being set up for a defect",
        "app/db/readiness.py",
        "obstacle.code == BEHIND",
        'obstacle.code == "never"',
        "tests/faults/test_defects.py::test_missing_column_is_a_defect_unless_the_schema_is_behind",
    ),
    Sabotage(
        "blame the caller for our own values",
        "app/http/errors.py",
        " or not all(was_sent(request, v) for v in failures.values_refused(error))",
        "",
        HTTP + "test_wrong_sql_and_wrong_values_of_our_own_are_500s",
    ),
    Sabotage(
        "take a wrong type for the caller's value",
        "app/db/values.py",
        '_OUR_DEFECTS = {"TypeError", "AttributeError", "KeyError"}',
        "_OUR_DEFECTS: set[str] = set()",
        HTTP + "test_wrong_sql_and_wrong_values_of_our_own_are_500s",
    ),
    Sabotage(
        "refuse values without a line in the log",
        "app/http/errors.py",
        'log.warning("value refused by the database"',
        'log.debug("value refused by the database"',
        HTTP + "test_value_of_the_caller_that_cannot_be_stored_is_a_422_and_a_line_in_the_log",
    ),
    Sabotage(
        "name no field of an index that is in no model",
        "app/db/constraints.py",
        "    if (key := key_of(error.detail)) is not None:\n",
        "    if (key := key_of(error.detail)) is not None and False:\n",
        DB + "test_constraints.py",
    ),
    Sabotage(
        "say of what is referred to that it does not exist",
        "app/db/constraints.py",
        "    return bool(error.table_name) and str(error.table_name) in after\n",
        "    return False\n",
        DB + "test_constraints.py",
    ),
    Sabotage(
        "take an overlap for a wrong value",
        "app/db/failures.py",
        'if state == "23P01":',
        "if False:",
        DB + "test_constraints.py",
    ),
    Sabotage(
        "log parameters in production",
        "app/db/session.py",
        '"hide_parameters": settings.ENVIRONMENT == "production"',
        '"hide_parameters": False',
        DB + "test_redaction.py",
    ),
    Sabotage(
        "log in production what PostgreSQL quotes",
        "app/db/redaction.py",
        "return _QUOTED.sub(WITHHELD, message)",
        "return message",
        DB + "test_redaction.py",
    ),
    Sabotage(
        "log in production the row that was refused",
        "app/db/redaction.py",
        '        vars(error)["detail"] = f"Key ({key})" if key else None\n',
        "",
        DB + "test_redaction.py",
    ),
    Sabotage(
        "tell anybody what is wrong with the settings",
        "app/api/health.py",
        "{obstacle.code}",
        "{obstacle.reason}",
        "tests/api/test_health.py::test_service_waits_for_its_database_and_heals_by_itself",
    ),
    Sabotage(
        "log each probe",
        "app/db/readiness.py",
        "if obstacle != _last.logged:",
        "if True:",
        "tests/api/test_health.py::test_service_waits_for_its_database_and_heals_by_itself",
    ),
    Sabotage(
        "name problems as Python does",
        "app/http/statuses.py",
        "    return STATUSES.get(status) or (",
        "    from http import HTTPStatus\n\n"
        "    return (HTTPStatus(status).phrase.lower().replace(' ', '-'), '', '') or (",
        "tests/http/test_problem_types.py",
    ),
    Sabotage(
        "explain every error as the database's",
        "app/db/failures.py",
        "    if isinstance(error, AppError):\n        return error.detail\n",
        "",
        HTTP + "test_error_of_the_app_is_explained_by_its_own_words",
    ),
    Sabotage(
        "believe asyncpg that a connection is open whose server was killed",
        "app/db/session.py",
        '    event.listen(made.sync_engine, "handle_error", _notice_loss)\n',
        "",
        LOST + "test_connection_lost_in_a_statement_is_unavailable_and_passes",
    ),
    Sabotage(
        "take a server that closes new connections for a defect",
        "app/db/pool.py",
        "if type(error) is InvalidRequestError:",
        "if False:",
        LOST + "test_server_that_closes_each_new_connection_is_unavailable",
    ),
    Sabotage(
        "drop all connections when the schema changes",
        "app/db/failures.py",
        "    if is_stale(error):\n        return False\n",
        "",
        LOST + "test_stale_plan_is_no_lost_connection",
    ),
)
