"""Promises about the connection and the driver, broken on purpose."""

from tests.sabotage import Sabotage

CONNECTION = "library/plumbline_tests/db/test_connection.py::"
GIVEN_UP = "library/plumbline_tests/faults/test_given_up.py::"
STALE = "library/plumbline_tests/db/test_stale_plans.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "write on for ever to a primary that has been demoted",
        "library/plumbline/db/steps.py",
        "    elif sqlstate(error) in {None, READ_ONLY}:",
        "    elif sqlstate(error) is None:",
        "library/plumbline_tests/db/test_statements.py::test_write_leaves_a_demoted_primary",
    ),
    Sabotage(
        "know BEGIN by the look of its text",
        "library/plumbline/db/connection.py",
        "        if send is not None:\n            return await send(query)\n",
        '        if send is not None or query.startswith("BEGIN"):\n'
        "            self.is_numbering = True\n            return await self._begin(query)\n",
        CONNECTION + "test_statement_is_not_known_by_the_look_of_its_text",
    ),
    Sabotage(
        "ask for the number before any first statement",
        "library/plumbline/db/before_statement.py",
        "driver.is_numbering = _TAKES_SNAPSHOT.match(statement) is not None",
        "driver.is_numbering = True",
        CONNECTION + "test_lock_comes_before_the_snapshot",
    ),
    Sabotage(
        "take a number in transactions that only read",
        "library/plumbline/db/connection.py",
        "WHEN 'off' THEN",
        "WHEN 'off' THEN '' ELSE",
        CONNECTION + "test_read_only_transaction_takes_no_number",
    ),
    Sabotage(
        "keep the number of a transaction that somebody has ended",
        "library/plumbline/db/connection.py",
        "pg_current_xact_id(), true) END",
        "pg_current_xact_id(), false) END",
        CONNECTION + "test_number_is_that_of_the_open_transaction",
    ),
    Sabotage(
        "hang up without a cancellation",
        "library/plumbline/db/connection.py",
        "            self._end_in_background(CANCEL_SECONDS)\n",
        "            self.terminate()\n",
        GIVEN_UP + "test_cancelled_statement_ends_though_its_connection_is_silent",
    ),
    Sabotage(
        "let PostgreSQL not look for its client",
        "library/plumbline/db/engine.py",
        "_milliseconds(settings.DB_CLIENT_CHECK_SECONDS)",
        '"0"',
        GIVEN_UP + "test_statement_of_a_process_that_was_killed_ends",
    ),
    Sabotage(
        "open the next connection before the last one is gone",
        "library/plumbline/db/engine.py",
        "partial(asyncio.Semaphore, places)",
        "partial(asyncio.Semaphore, 1000)",
        GIVEN_UP + "test_place_of_a_statement_is_free_when_its_cancellation_has_arrived",
    ),
    Sabotage(
        "run a stale read once more only",
        "library/plumbline/db/statements.py",
        "reversed(range(STALE_TRIES + 1))",
        "reversed(range(2))",
        STALE + "test_read_does_not_notice_changes_that_overtake_it",
    ),
    Sabotage(
        "take a lost type for a defect",
        "library/plumbline/db/errors.py",
        '    "cache lookup failed for ",',
        '    "never said",',
        STALE + "test_session_is_worth_another_try_when_the_schema_changes",
    ),
    Sabotage(
        "keep the stale plan of an insert",
        "library/plumbline/db/steps.py",
        "        dialect._invalidate_schema_cache()",
        "        pass",
        STALE + "test_session_is_worth_another_try_when_the_schema_changes",
    ),
    Sabotage(
        "keep what the driver knows of a composite type",
        "library/plumbline/db/engine.py",
        "        context.dialect._invalidate_schema_cache()",
        "        pass",
        STALE + "test_session_is_worth_another_try_when_the_schema_changes",
    ),
    Sabotage(
        "let newcomers overtake who waits for a connection",
        "library/plumbline/db/turns.py",
        """                first.set_result(None)
                return
""",
        "                first.set_result(None)\n",
        "library/plumbline_tests/db/test_session.py::test_nobody_is_overtaken_who_waits_for_a_connection",
    ),
)
