"""Sabotages of the live view, and of what development says of statements."""

from tests.sabotage import Sabotage

HOLDERS = "library/plumbline/holders.py"
WATCH = "library/plumbline/http/statement_watch.py"
SQL = "library/plumbline/db/sql_text.py"
LOOKING = "library/plumbline_tests/top/test_looking.py::"
PICTURE = "library/plumbline_tests/top/test_picture.py::"
TOLD = "library/plumbline_tests/top/test_holders.py::"
REPEATED = "library/plumbline_tests/http/test_statement_watch.py::"
NAMED = REPEATED + "test_statement_that_a_request_repeats_is_named"
NOT_NAMED = REPEATED + "test_what_repeats_nothing_is_not_named"
COUNTS = "library/plumbline_tests/testing/test_statement_counts.py::"

SABOTAGES = (
    Sabotage(
        "forget the request of a connection that is taken",
        "library/plumbline/http/request_context.py",
        "used = Usage(scope=scope, find_route=find_route)",
        "used = Usage()",
        TOLD + "test_holders_are_shown_where_metrics_are",
    ),
    Sabotage(
        "show the connections that are idle in the pool as held",
        "library/plumbline/db/pool.py",
        "taken_at, usage = info.pop(TAKEN)",
        "taken_at, usage = info[TAKEN]",
        LOOKING + "test_connection_of_a_route_that_has_ended_is_shown_no_more",
    ),
    Sabotage(
        "tell of the worker that is asked alone",
        HOLDERS,
        "return [*_own(), *_of_others(folder)]",
        "return _own()",
        TOLD + "test_holders_of_all_workers_are_told",
    ),
    Sabotage(
        "write holders although nobody asks",
        HOLDERS,
        "> FRESH_SECONDS:",
        "> 10 * FRESH_SECONDS + 1000:",
        TOLD + "test_workers_write_only_while_somebody_asks",
    ),
    Sabotage(
        "show what a worker held that was killed long ago",
        HOLDERS,
        "or age > SILENT_SECONDS:",
        "or age < 0:",
        TOLD + "test_holders_of_all_workers_are_told",
    ),
    Sabotage(
        "let what a program calls itself move the cursor",
        "library/plumbline/top/screen.py",
        'return "".join(each if _is_shown(each) else " " for each in words)',
        "return words",
        PICTURE + "test_what_others_call_themselves_moves_no_cursor",
    ),
    Sabotage(
        "draw more than the terminal has lines",
        "library/plumbline/top/screen.py",
        "room = size[1] - told - tables * _HEADS - len(hints)",
        "room = size[1]",
        PICTURE + "test_picture_fits_the_terminal_and_shows_every_section",
    ),
    Sabotage(
        "take a restart of the service for negative rates",
        "library/plumbline/top/figures.py",
        "return value - known if value >= known else value",
        "return value - known",
        PICTURE + "test_counter_that_fell_began_again",
    ),
    Sabotage(
        "show the values of others' statements",
        "library/plumbline/top/sessions.py",
        "float(seconds), without_values(statement))",
        "float(seconds), statement)",
        LOOKING + "test_connection_is_shown_with_its_route_its_age_and_its_statement",
    ),
    Sabotage(
        "keep a connection to a database that is gone",
        "library/plumbline/top/sessions.py",
        "            self.close()\n            return Seen(",
        "            return Seen(",
        LOOKING + "test_watcher_finds_the_database_again",
    ),
    Sabotage(
        "take an attempt that ran again for a repetition",
        WATCH,
        """        used.texts = {}
        try:
            await self.app(scope, receive, tell_and_send)
""",
        """        used.texts = scope.setdefault("texts", {})
        try:
            await self.app(scope, receive, tell_and_send)
""",
        NOT_NAMED,
    ),
    Sabotage(
        "take lists of other lengths for other statements",
        SQL,
        'return _ROWS.sub("(?)", _LIST.sub("(?)", plain))',
        "return plain",
        NAMED,
    ),
    Sabotage(
        "take the batches of one INSERT for a repetition",
        "library/plumbline/db/before_statement.py",
        "        context.__dict__[_COUNTED] = True\n",
        "",
        NOT_NAMED,
    ),
    Sabotage(
        "count what runs after the answer",
        WATCH,
        'if message["type"] == "http.response.body" and not',
        'if message["type"] == "nothing" and not',
        REPEATED + "test_work_after_the_answer_does_not_count",
    ),
    Sabotage(
        "take all messages of a websocket for one request",
        WATCH,
        """            finally:
                used.texts = {}
""",
        """            finally:
                used.texts = used.scope.setdefault("texts", {})
""",
        REPEATED + "test_websocket_is_watched_message_by_message",
    ),
    Sabotage(
        "tell the times of production",
        WATCH,
        '    if settings.ENVIRONMENT != "production":\n        app.add_middleware(ServerTiming)',
        "    if settings:\n        app.add_middleware(ServerTiming)",
        REPEATED + "test_parts_add_nothing_in_production",
    ),
    Sabotage(
        "let a test pass whose request repeats a statement",
        "library/plumbline/testing/statement_counts.py",
        "if item.get_closest_marker(MARKER) is None:",
        "if item.get_closest_marker(MARKER) is not None:",
        COUNTS + "test_test_whose_request_repeats_a_statement_fails",
    ),
    Sabotage(
        "count no statements of requests in a test",
        "library/plumbline/testing/statement_counts.py",
        "found.counts.update(watched.texts)",
        "None",
        COUNTS + "test_requests_that_are_answered_meanwhile_count",
    ),
)
