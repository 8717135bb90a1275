"""Promises of a transaction that the driver runs (owned_session.py), broken on purpose."""

from tests.sabotage import Sabotage

SESSION = "library/plumbline/db/owned_session.py"
DIRECT = "library/plumbline/db/direct.py"
TESTS = "library/plumbline_tests/db/test_direct.py::"
ROUTES = "library/plumbline/http/direct_routes.py"
DIRECT_WRITES = "library/plumbline_tests/http/test_direct_writes.py::"
FIRST = "library/plumbline_tests/db/test_beginning.py::"

SABOTAGES = (
    Sabotage(
        "commit nothing of what the driver has run",
        DIRECT,
        "            await self.driver.commit()\n",
        '            await self.driver.execute("ROLLBACK;")\n',
        TESTS + "test_compiled_statements_alone_are_the_drivers",
    ),
    Sabotage(
        "let what comes after compiled statements begin a transaction of its own",
        SESSION,
        '        """Asked by all that is about to use a connection."""\n        self._adopt()\n',
        '        """Asked by all that is about to use a connection."""\n',
        TESTS + "test_whatever_comes_after_them_is_in_the_same_transaction",
    ),
    Sabotage(
        "run a compiled statement beside its SAVEPOINT",
        SESSION,
        "        if self._nested_transaction is not None or not self._is_clean():",
        "        if not self._is_clean():",
        TESTS + "test_whatever_comes_after_them_is_in_the_same_transaction",
    ),
    Sabotage(
        "pass by what goes first in a transaction",
        SESSION,
        "        await direct.run(steps, asked, rows)\n",
        "        steps.close()\n",
        TESTS + "test_step_that_refuses_ends_the_transaction_before_its_work",
    ),
    Sabotage(
        "give a connection back whose transaction is open",
        "library/plumbline/db/before_statement.py",
        "        connection.invalidate()\n        raise\n",
        "        raise\n",
        TESTS + "test_nobody_ends_it_in_the_block",
    ),
    Sabotage(
        "take a step that leaves something in the server's session",
        "library/plumbline/db/statements.py",
        "        if not self._is_plain:\n            raise TypeError(_NO_STEP)",
        "        if not self._is_plain:\n            pass",
        TESTS + "test_what_leaves_something_behind_is_no_step",
    ),
    Sabotage(
        "ask for a lock by itself",
        DIRECT,
        "    if isinstance(asked, Existence) and driver.owns_session:\n",
        "    if False:\n",
        "library/plumbline_tests/faults/test_round_trips.py::test_key_adds_three_round_trips",
    ),
    Sabotage(
        "write any text into the message of BEGIN",
        DIRECT,
        "type(value) is str and _PLAIN.fullmatch(value) else None",
        "type(value) is str else None",
        FIRST + "test_text_arrives_as_it_is",
    ),
    Sabotage(
        "hold on to a lock that a change of the schema made stale",
        DIRECT,
        "    if known is None or known.at <= dialect._invalidate_schema_cache_asof:",
        "    if known is None:",
        "library/plumbline_tests/db/test_stale_plans.py::test_session_is_worth_another_try_when_the_schema_changes",
    ),
    Sabotage(
        "take a lock that failed for a BEGIN that failed",
        DIRECT,
        "            if asked is not None and is_begun(self.driver):\n",
        "            if asked is None:\n",
        FIRST + "test_error_of_what_goes_along_is_that_of_the_statement",
    ),
    Sabotage(
        "leave the isolation of a transaction to the database",
        DIRECT,
        "_BEGIN[adapted.isolation_level]",
        "_BEGIN[None]",
        FIRST + "test_isolation_is_that_of_the_engine",
    ),
    Sabotage(
        "commit unheard",
        SESSION,
        "        if is_heard or self._transaction is not None or self.identity_map:\n",
        "        if self.identity_map:\n",
        FIRST + "test_those_who_listen_to_a_session_are_told",
    ),
    Sabotage(
        "begin past those who are to be given the connection",
        SESSION,
        "        or len(_listeners(kind).after_begin) > 1  # ours\n",
        "",
        FIRST + "test_who_listens_to_the_begin_is_given_the_connection",
    ),
    Sabotage(
        "send writes through all layers of FastAPI",
        ROUTES,
        "            await _answer_in_stacks(found.app, scope, receive, send)\n",
        "            await self.app(scope, receive, send)\n",
        "tests/test_speed.py::test_request_costs_no_more_than_it_did",
    ),
    Sabotage(
        "let an error of a write pass by the handlers of the application",
        ROUTES,
        "        await _tell(error, request, send, is_started=is_started, is_told_once=True)\n",
        "        raise\n",
        DIRECT_WRITES + "test_write_is_told_as_by_fastapi",
    ),
    Sabotage(
        "cancel a dependency while it closes",
        "library/plumbline/http/fastapi_inside.py",
        "        self.scope.shield = True\n",
        "        self.scope.shield = False\n",
        DIRECT_WRITES + "test_dependency_of_a_cancelled_request_closes_as_by_fastapi",
    ),
)
