"""What happens after the commit, and on websockets, broken on purpose."""

from tests.sabotage import Sabotage

FILE = "library/plumbline/db/after_commit.py"
DB = "library/plumbline_tests/db/test_after_commit.py::"
HTTP = "library/plumbline_tests/http/test_after_commit.py::"
ROUTES, SOCKETS = (
    "library/plumbline/http/websocket_routes.py",
    "library/plumbline/http/websockets.py",
)
WS = "library/plumbline_tests/http/test_websockets.py::"
HELD = WS + "test_session_that_would_be_open_as_long_as_the_socket_stops_the_start"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "send in each attempt, committed or not",
        FILE,
        "    session.info[_ACTS].append(_Act(innermost, partial(act, *args, **kwargs)))\n",
        "    session.info[_ACTS].append(_Act(innermost, partial(act, *args, **kwargs)))\n"
        "    _begin(session)\n",
        HTTP + "test_only_the_attempt_that_commits_sends",
    ),
    Sabotage(
        "keep what was to be done of a transaction that has ended",
        FILE,
        "    if ended.parent is None:\n        session.info[_ACTS] = []\n",
        "    pass\n",
        DB + "test_transactions_of_one_session_have_each_their_own",
    ),
    Sabotage(
        "keep what was to be done of a SAVEPOINT that was rolled back",
        FILE,
        "if rolled_back not in _around(each.transaction)",
        "if rolled_back is not each.transaction",
        DB + "test_savepoint_that_is_rolled_back_takes_what_was_to_be_done",
    ),
    Sabotage(
        "take RELEASE for a commit",
        FILE,
        "    if session.in_nested_transaction():\n        return\n",
        "",
        DB + "test_savepoint_that_is_rolled_back_takes_what_was_to_be_done",
    ),
    Sabotage(
        "leave out what comes after one that failed",
        FILE,
        "            DEFECTS.inc()\n",
        "            DEFECTS.inc()\n            return\n",
        DB + "test_all_is_done_in_order_also_after_one_that_fails",
    ),
    Sabotage(
        "run on the event loop what blocks it",
        FILE,
        "found = call() if is_async else await asyncio.to_thread(call)",
        "found = call()",
        DB + "test_each_kind_of_callable_is_called",
    ),
    Sabotage(
        "read in the next transaction of the session",
        FILE,
        "    open_session.set(None)",
        "    ",
        DB + "test_it_reads_on_a_connection_of_its_own",
    ),
    Sabotage(
        "end the process before all was done after its commits",
        "library/plumbline/http/install.py",
        "            await finish_acts(server_settings(app).STOP_TIMEOUT_SECONDS)\n",
        "",
        HTTP + "test_process_that_stops_waits_for_it_before_the_engine_is_disposed_of",
    ),
    Sabotage(
        "give up in silence what was to be done after the commit",
        FILE,
        "            if _is_given_up(error):\n",
        "            if _is_given_up(error):\n                raise\n            if False:\n",
        DB + "test_what_takes_too_long_at_the_end_is_given_up_and_named",
    ),
    Sabotage(
        "let a websocket hold a session of an unknown kind",
        ROUTES,
        "        is_held and knows_a_database(function, each.call)\n",
        "        False\n",
        HELD,
    ),
    Sabotage(
        "let a mounted websocket hold a session",
        ROUTES,
        'yield from _sockets(getattr(context.original_route, "routes", None) or ())',
        "continue",
        HELD,
    ),
    Sabotage(
        "let a websocket that was added late hold a session",
        "library/plumbline/http/install.py",
        "        _require_of_routes(app, may_commit_late)\n        async with",
        "        require_commit_before_response(app, except_for=may_commit_late)\n"
        "        async with",
        HELD,
    ),
    Sabotage(
        "refuse a websocket the factory of its sessions",
        "library/plumbline/http/session_types.py",
        "_hints(function).get(name), _SESSIONS)",
        "_hints(function).get(name))",
        WS + "test_what_opens_its_own_session_may_be_asked",
    ),
    Sabotage(
        "find out at the handshake that a rule needs a request",
        ROUTES,
        "    if each.request_param_name is not None:\n",
        "    if False:\n",
        WS + "test_rule_that_only_requests_can_have_stops_the_start",
    ),
    Sabotage(
        "forget the rules of websockets",
        "library/plumbline/http/access.py",
        "APIRoute | APIWebSocketRoute\n",
        "APIRoute\n",
        WS + "test_websocket_without_a_rule_stops_the_start",
    ),
    Sabotage(
        "serve websockets for any host",
        "library/plumbline/http/request_context.py",
        "        app = self._refusal(scope) or self.app\n",
        "        app = self.app\n",
        WS + "test_other_host_is_refused_also_where_the_server_can_give_no_answer",
    ),
    Sabotage(
        "take a client that went away for a defect",
        SOCKETS,
        "codes = [each.code for each in errors if isinstance(each, WebSocketDisconnect)]",
        "codes: list[int] = [0] if not errors else []",
        WS + "test_each_message_has_its_transaction_and_the_caller_is_known",
    ),
    Sabotage(
        "take a client that left a task group for a defect",
        SOCKETS,
        "errors = [*errors_in(error)]",
        "errors = [error]",
        WS + "test_task_group_ends_as_its_errors_do",
    ),
    Sabotage(
        "answer on an open socket as if it were a request",
        SOCKETS,
        "if self.is_open or _CAN_ANSWER",
        "if _CAN_ANSWER",
        WS + "test_error_closes_an_open_socket_with_its_code",
    ),
    Sabotage(
        "keep what has no body",
        "library/plumbline/http/idempotency.py",
        'if getattr(response, "body", None) is None:',
        "if False:",
        "library/plumbline_tests/http/test_streamed_answers.py"
        "::test_key_on_a_streamed_answer_is_refused_and_nothing_is_stored",
    ),
)
