"""What reads pass by, and must not, broken on purpose."""

from tests.sabotage import Sabotage

POOL, TURNS = "library/plumbline/db/pool.py", "library/plumbline/db/turns.py"
DIRECT, INSIDE = (
    f"library/plumbline/http/{name}.py" for name in ("direct_routes", "fastapi_inside")
)
TESTS = "library/plumbline_tests/"
OF_POOL, OF_DIRECT = f"{TESTS}db/test_pool.py::", f"{TESTS}http/test_direct_routes.py::"
ANOTHER = OF_POOL + "test_read_gets_another_connection_where_a_session_would"
BETWEEN = OF_DIRECT + "test_what_stands_in_between_runs"
ERRORS = OF_DIRECT + "test_error_is_told_as_by_fastapi"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "read on connections that are too old",
        POOL,
        "if -1 < self._recycle < time() - record.starttime:",
        "if False:",
        ANOTHER,
    ),
    Sabotage(
        "read on connections that are no longer valid",
        POOL,
        "if record.dbapi_connection is None or record._is_hard_or_soft_invalidated():",
        "if record.dbapi_connection is None:",
        ANOTHER,
    ),
    Sabotage(
        "read on connections that the server has closed",
        POOL,
        "return not driver.is_closed() and driver.is_of_this_loop()",
        "return bool(driver.is_of_this_loop())",
        ANOTHER,
    ),
    Sabotage(
        "read on connections of an event loop that has ended",
        POOL,
        "return not driver.is_closed() and driver.is_of_this_loop()",
        "return not driver.is_closed()",
        TESTS + "db/test_event_loops.py::test_engine_serves_two_event_loops_in_turn",
    ),
    Sabotage(
        "take connections for reads without a word to those who listen",
        POOL,
        "is_watched = len(told.checkout) > 1 or bool(told.checkin) or bool(told.reset)",
        "is_watched = False",
        OF_POOL + "test_who_listens_to_the_pool_hears_of_reads",
    ),
    Sabotage(
        "lose a turn that comes to who is giving up",
        TURNS,
        "if not mine.cancelled() and mine.exception() is None:",
        "if False:",
        TESTS + "db/test_turns.py::test_turn_that_comes_to_who_gives_up_goes_on",
    ),
    Sabotage(
        "give a turn to who has given up",
        TURNS,
        "if not (first := self._waiting.popleft()).done():",
        "if (first := self._waiting.popleft()).done() or True:",
        TESTS + "db/test_turns.py::test_those_who_wait_are_served_in_their_order",
    ),
    Sabotage(
        "go FastAPI's way with each read",
        DIRECT,
        "            await _answer(found.handle_request, scope, receive, send)\n",
        "            await self.app(scope, receive, send)\n",
        OF_DIRECT + "test_read_passes_the_layers_by",
    ),
    Sabotage(
        "pass by what a subclass puts around its routes",
        DIRECT,
        "Answering(route.app, handle_request, compiled_of(handle_request))",
        "Answering(route.app, route.handler, route.handler)",
        OF_DIRECT + "test_what_a_subclass_puts_around_its_routes_runs",
    ),
    Sabotage(
        "pass by what was put around a route later",
        DIRECT,
        "    if known is None or known.app is not route.app:\n",
        "    if known is None:\n",
        OF_DIRECT + "test_what_is_put_around_a_route_later_runs",
    ),
    Sabotage(
        "pass by middleware of the router",
        INSIDE,
        "        or router.middleware_stack != router.app\n",
        "",
        BETWEEN,
    ),
    Sabotage(
        "pass by the limits of forms",
        INSIDE,
        "        or router.form_limits\n",
        "",
        BETWEEN,
    ),
    Sabotage(
        "answer directly while dependencies are overridden",
        "library/plumbline/http/compiled_routes.py",
        "return isinstance(answer, _Route) and not answer.is_changed()",
        "return isinstance(answer, _Route)",
        BETWEEN,
    ),
    Sabotage(
        "trace reads without their route",
        DIRECT,
        '    if "fastapi.telemetry" in scope:  # it is traced\n        return None\n',
        "",
        TESTS
        + "test_telemetry.py::test_each_request_is_one_span_that_only_a_5xx_marks_as_an_error",
    ),
    Sabotage(
        "ask for the handler of an exception once",
        DIRECT,
        "await of_app(scope, receive,",
        "await of_route(scope, receive,",
        ERRORS,
    ),
    Sabotage(
        "answer an exception after the start of an answer",
        DIRECT,
        "        if is_started:  # too late",
        "        if False:  # too late",
        ERRORS,
    ),
    Sabotage(
        "name the router of a mounted application",
        DIRECT,
        'scope.setdefault("router", layers.router)',
        'scope["router"] = layers.router',
        OF_DIRECT + "test_route_of_a_mounted_application_knows_the_outermost_router",
    ),
    Sabotage(
        "let uvicorn make a line of each request",
        "library/plumbline/logging.py",
        'logging.getLogger("uvicorn.access").propagate = False',
        'logging.getLogger("uvicorn.access").disabled = True',
        TESTS + "test_logging.py::test_uvicorn_makes_no_line_of_a_request",
    ),
)
