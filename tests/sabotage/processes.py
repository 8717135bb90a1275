"""Promises about workers, metrics and logs, broken on purpose."""

from tests.sabotage import Sabotage

FAULTS, METRICS = "library/plumbline_tests/faults/", "library/plumbline_tests/http/test_metrics.py"
MIDDLEWARE = "library/plumbline_tests/http/test_middleware.py"

SABOTAGES = (
    Sabotage(
        "close the socket on those who are just connecting",
        "library/plumbline/http/shutdown.py",
        "    process.listener = listener\n",
        "    process.listener = None\n",
        FAULTS + "test_stopping.py::test_stop_resets_no_fresh_connection",
    ),
    Sabotage(
        "give the last connections a fixed time to be accepted",
        "library/plumbline/http/listener.py",
        "while _has_unaccepted(listener.socket) and",
        "while False and",
        FAULTS + "test_stopping.py::test_stop_waits_until_the_last_connection_is_accepted",
    ),
    Sabotage(
        "let workers outlive their parent",
        "library/plumbline/cli/workers.py",
        "    parent.join()\n",
        "    parent.join()\n    return\n",
        FAULTS + "test_workers.py::test_killed_parent_leaves_no_worker_and_no_taken_port",
    ),
    Sabotage(
        "wait for the answer of a worker",
        "library/plumbline/cli/workers.py",
        "            while self.parent_conn.poll():\n",
        "            while self.parent_conn.poll(timeout if self._asked_at else 0):\n",
        FAULTS
        + "test_workers.py"
        + "::test_supervisor_does_not_wait_for_a_worker_that_dies_or_hangs_while_it_starts",
    ),
    Sabotage(
        "let each worker count for itself",
        "library/plumbline/cli/serving.py",
        "        os.environ[metrics.VARIABLE] = path\n",
        "",
        FAULTS + "test_workers.py::test_scrape_shows_the_sum_of_all_workers_and_of_no_dead_one",
    ),
    Sabotage(
        "count the gauges of dead workers",
        "library/plumbline/metrics.py",
        "and not _is_alive(pid):",
        "and pid < 0:",
        FAULTS + "test_workers.py::test_scrape_shows_the_sum_of_all_workers_and_of_no_dead_one",
    ),
    Sabotage(
        "begin a labelled counter with its first event",
        "library/plumbline/metrics.py",
        "        made.labels(value)\n",
        "        pass\n",
        METRICS + "::test_every_counter_has_its_0_from_the_start",
    ),
    Sabotage(
        "measure the waiting for a connection no more",
        "library/plumbline/db/pool.py",
        "            POOL_TIMEOUTS.inc()\n",
        "",
        METRICS + "::test_those_who_wait_for_a_connection_and_wait_in_vain_are_counted",
    ),
    Sabotage(
        "give pages and refusals one route",
        "library/plumbline/http/request_context.py",
        "used.find_route(scope) or _refused_as(status)",
        'used.find_route(scope) or "(none)"',
        METRICS + "::test_pages_and_refusals_have_a_route_of_their_own",
    ),
    Sabotage(
        "put the id of the caller on record",
        "library/plumbline/http/request_context.py",
        "    current = _new_id()\n",
        '    current = headers.get("x-request-id") or _new_id()\n',
        "tests/http/test_middleware.py::test_id_of_the_caller_is_not_on_record",
    ),
    Sabotage(
        "write into the log whatever a caller calls a request",
        "library/plumbline/http/request_context.py",
        "return value if value and CALLER_ID.fullmatch(value) else None",
        "return value",
        MIDDLEWARE + "::test_id_of_the_caller_that_could_forge_a_line_is_left_out",
    ),
    Sabotage(
        "leave the id of a caller to the next request",
        "library/plumbline/http/request_context.py",
        "context.caller_request_id.set(_harmless_id(scope))",
        '(own := headers.get("x-request-id")) and context.caller_request_id.set(own)',
        MIDDLEWARE + "::test_id_of_the_caller_is_not_that_of_the_next_request_on_the_connection",
    ),
    Sabotage(
        "mark spans of ordinary refusals as errors",
        "app/main.py",
        "        telemetry=TRACES_ONLY,\n",
        "",
        "tests/test_main.py::test_service_is_traced_as_the_library_says",
    ),
    Sabotage(
        "log without the trace",
        "library/plumbline/logging.py",
        "    if span.is_valid:\n",
        "    if False:\n",
        "library/plumbline_tests/test_telemetry.py::test_each_request_is_one_span_that_only_a_5xx_marks_as_an_error",
    ),
    Sabotage(
        "compare the password as it is spelled",
        "library/plumbline/production.py",
        "WELL_KNOWN in _passwords(urlsplit(settings.DATABASE_URL))",
        '"://postgres:postgres@" in settings.DATABASE_URL',
        "tests/core/test_production.py::test_password_that_everybody_knows_is_refused_however_it_is_spelled",
    ),
    Sabotage(
        "take any TLS for encryption that cannot be refused",
        "library/plumbline/production.py",
        'ENCRYPTED = {"require",',
        'ENCRYPTED = {"prefer", "require",',
        "tests/core/test_production.py::test_unwise_setting_is_a_warning",
    ),
    Sabotage(
        "say nothing of a superuser",
        "library/plumbline/db/privileges.py",
        "    if is_superuser:\n",
        "    if False:\n",
        "library/plumbline_tests/db/test_privileges.py"
        "::test_superuser_is_told_once_and_in_production_only",
    ),
    Sabotage(
        "say nothing of a proxy that is not named",
        "library/plumbline/http/request_context.py",
        "        if self.proxies.looks_left:\n",
        "        if False:\n",
        "library/plumbline_tests/http/test_proxies.py::test_proxy_that_is_not_named_is_told_once",
    ),
    Sabotage(
        "let a path forge a line of the log",
        "library/plumbline/logging.py",
        """if event["path"].isprintable() else ascii(event["path"])""",
        "if True else None",
        "library/plumbline_tests/test_logging.py::test_request_in_development_is_one_short_line_and_all_else_is_full",
    ),
)
