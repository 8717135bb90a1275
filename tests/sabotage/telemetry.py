"""Sabotages of metrics, and of what is made of them."""

from tests.sabotage import Sabotage

METRICS = "library/plumbline/metrics.py"
POOL = "library/plumbline/db/pool.py"
CONTEXT = "library/plumbline/http/request_context.py"
USAGE = "library/plumbline_tests/http/test_usage.py::"
ALERTS = "tests/deploy/test_alerts.py::"

TRACED = "library/plumbline/db/traced_connection.py"
SAMPLING = "library/plumbline/trace_sampling.py"
TRACES = "library/plumbline_tests/http/test_traces.py::"
KEPT = "library/plumbline_tests/test_trace_sampling.py::"

SABOTAGES = (
    Sabotage(
        "make no span of what sessions run",
        TRACED,
        "        return TracedStatement(self, query, made._state)",
        "        return made",
        TRACES + "test_statements_of_session_and_driver_are_under_the_request",
    ),
    Sabotage(
        "make no span of what compiled statements run",
        TRACED,
        '    fetch = _traced("fetch")\n',
        "",
        TRACES + "test_statements_of_session_and_driver_are_under_the_request",
    ),
    Sabotage(
        "begin another trace after the commit",
        "library/plumbline/db/after_commit.py",
        "    with tracing.within(span):\n",
        "    with tracing.within(None):\n",
        TRACES + "test_what_runs_after_the_commit_is_in_the_trace_with_its_statements",
    ),
    Sabotage(
        "write the literals of a statement into its span",
        "library/plumbline/db/sql_text.py",
        'return " " if found[0].startswith(("--", "/*")) else "?"',
        'return " " if found[0].startswith(("--", "/*")) else found[0]',
        TRACES + "test_no_value_is_in_any_span",
    ),
    Sabotage(
        "take for read what has no end",
        "library/plumbline/db/sql_text.py",
        "    if _UNREAD.search(",
        "    if re.search('$^', ",
        "library/plumbline_tests/db/test_span_texts.py::"
        "test_text_has_no_literal_and_the_name_says_what_it_does",
    ),
    Sabotage(
        "write the message of an error into its span",
        "library/plumbline/tracing.py",
        "    span.set_status(StatusCode.ERROR)\n",
        "    span.set_status(StatusCode.ERROR, str(error))\n",
        TRACES + "test_no_value_is_in_any_span",
    ),
    Sabotage(
        "write the values of the query string into the span of a request",
        SAMPLING,
        "            _withhold_query(span)\n",
        "            pass\n",
        TRACES + "test_no_value_is_in_any_span",
    ),
    Sabotage(
        "forget the trace of a request that failed",
        SAMPLING,
        "return is_slow or (span.status.status_code is StatusCode.ERROR and not _hung_up(told))",
        "return is_slow",
        KEPT + "test_request_is_kept_with_all_of_it_when_it_was_slow_or_failed",
    ),
    Sabotage(
        "keep the trace of every conflict",
        SAMPLING,
        "        if span.kind is SpanKind.CLIENT:\n",
        "        if span.kind is SpanKind.PRODUCER:\n",
        KEPT + "test_statement_that_is_slow_or_fails_decides_nothing",
    ),
    Sabotage(
        "decide about a trace before all of it has ended",
        SAMPLING,
        "            if request.open:\n",
        "            if request.open < 0:\n",
        KEPT + "test_what_outlives_its_request_decides_too",
    ),
    Sabotage(
        "hold each span of a request that runs a loop",
        SAMPLING,
        "if len(request.spans) >= SPANS_OF_A_REQUEST and not _is_first(span):",
        "if len(request.spans) < 0:",
        TRACES + "test_trace_is_bounded_and_says_what_it_left_out",
    ),
    Sabotage(
        "leave the routes to FastAPI where traces are made",
        "library/plumbline/http/install.py",
        "    setattr(app.state, TRACES_ALONE, True)\n",
        "",
        "library/plumbline_tests/test_telemetry.py"
        "::test_one_variable_prints_traces_of_compiled_routes",
    ),
    Sabotage(
        "let services without traces pay for them",
        "library/plumbline/db/connecting.py",
        "    if not tracing.is_on():\n",
        "    if False:\n",
        "tests/test_speed.py::test_request_costs_no_more_than_it_did",
    ),
    Sabotage(
        "forget what a task takes that a request left behind",
        CONTEXT,
        "    used.total, used.scope = total, None\n",
        "    used.scope = None\n",
        USAGE + "test_task_that_a_request_leaves_behind_counts_for_its_route",
    ),
    Sabotage(
        "count what requests take for no request",
        CONTEXT,
        "    usage.of_request.set(used)\n",
        "",
        USAGE + "test_request_counts_what_it_takes_for_its_route",
    ),
    Sabotage(
        "count a connection as held only while it is given back",
        POOL,
        "usage.held_seconds += now - taken_at",
        "usage.held_seconds += monotonic() - now",
        USAGE + "test_connection_that_is_held_while_no_statement_runs_shows",
    ),
    Sabotage(
        "count no statement that fails in a session",
        "library/plumbline/db/engine.py",
        "    end_statement(context.execution_context)\n",
        "",
        USAGE + "test_statement_that_fails_counts",
    ),
    Sabotage(
        "add what was counted once more with each scrape",
        METRICS,
        "USAGE[name].labels(route).inc(now - before)",
        "USAGE[name].labels(route).inc(now)",
        USAGE + "test_scrapes_show_what_was_taken_and_add_nothing_themselves",
    ),
    Sabotage(
        "let what runs after the commit count for the route",
        "library/plumbline/db/after_commit.py",
        "    belong_to(AFTER_COMMIT)\n",
        "",
        USAGE + "test_what_runs_after_the_commit_has_a_name_of_its_own",
    ),
    Sabotage(
        "take a blocked event loop for an idle one",
        METRICS,
        "LAG.observe(max(0.0, perf_counter() - due_at))",
        "LAG.observe(min(0.0, perf_counter() - due_at))",
        USAGE + "test_event_loop_that_was_blocked_shows",
    ),
    Sabotage(
        "alert by a metric that is not there",
        "deploy/prometheus/alerts.yaml",
        "sum by (job) (rate(db_pool_timeouts_total[5m])) > 0",
        "sum by (job) (rate(db_pool_timeout_total[5m])) > 0",
        ALERTS + "test_each_metric_that_is_asked_for_is_given",
    ),
    Sabotage(
        "alert on an outcome that is never counted",
        "deploy/prometheus/alerts.yaml",
        'outcome="unknown"',
        'outcome="lost"',
        ALERTS + "test_each_metric_that_is_asked_for_is_given",
    ),
    Sabotage(
        "sum a metric by the label of another one",
        "deploy/grafana/dashboard.json",
        'sum by (route) (rate(db_statements_total{job=\\"$job\\"}[$__rate_interval])) / sum by',
        'sum by (status) (rate(db_statements_total{job=\\"$job\\"}[$__rate_interval])) / sum by',
        ALERTS + "test_each_metric_that_is_asked_for_is_given",
    ),
    Sabotage(
        "show a metric that is not there",
        "deploy/grafana/dashboard.json",
        "sum (db_pool_waiting{",
        "sum (db_pool_waiters{",
        ALERTS + "test_each_metric_that_is_asked_for_is_given",
    ),
    Sabotage(
        "alert without a section that says more",
        "docs/alerts.md",
        "## EventLoopBlocked\n",
        "## Blocked\n",
        ALERTS + "test_each_alert_says_what_to_do_and_where_more_is",
    ),
    Sabotage(
        "alert at once of what passes by itself",
        "deploy/prometheus/alerts.yaml",
        "for: 1m\n",
        "for: 0m\n",
        "tests/deploy/test_promtool.py::test_prometheus_reads_them_and_fires_when_it_should",
    ),
    Sabotage(
        "show a connection when it is given back alone",
        METRICS,
        "in _seconds_held().items():",
        "in ():",
        USAGE + "test_connection_shows_while_it_is_held_and_once",
    ),
    Sabotage(
        "let sockets that are open for long keep the traces of all others out",
        SAMPLING,
        "                    self._forget_oldest()\n",
        "                    return\n",
        KEPT + "test_socket_that_is_open_for_long_leaves_room_for_requests",
    ),
    Sabotage(
        "take a client that hangs up for a failure",
        SAMPLING,
        " and not _hung_up(told)",
        "",
        KEPT + "test_client_that_hangs_up_is_no_failure",
    ),
    Sabotage(
        "wait at the end as long as a collector likes",
        "library/plumbline/trace_export.py",
        "    ending.join(LAST_SECONDS)\n",
        "    ending.join()\n",
        "library/plumbline_tests/test_telemetry.py::"
        "test_collector_that_hangs_does_not_keep_a_process_from_its_end",
    ),
    Sabotage(
        "let callers write into the log by their baggage",
        "library/plumbline/logging.py",
        '    "opentelemetry.baggage.propagation",\n',
        "",
        "library/plumbline_tests/test_logging.py::"
        "test_headers_of_callers_that_mean_nothing_are_not_repeated",
    ),
    Sabotage(
        "count what a websocket takes for no request",
        CONTEXT,
        "Usage(total=total, scope=scope, find_route=self.find_route)",
        "Usage(total=usage.totals[usage.NO_REQUEST], scope=scope)",
        USAGE + "test_websocket_counts_while_it_is_open",
    ),
    Sabotage(
        "lose what a worker counted in its last second",
        METRICS,
        "        _report()  # counters outlive the worker, gauges do not\n",
        "",
        "library/plumbline_tests/http/test_metrics.py"
        "::test_workers_count_together_and_keep_what_one_counted_before_it_stopped",
    ),
    Sabotage(
        "build an image that does not know its revision",
        "Dockerfile",
        "ENV BUILD_REVISION=$BUILD_REVISION\n",
        "",
        "tests/deploy/test_files.py::test_build_knows_its_revision_which_nothing_else_sets",
    ),
    Sabotage(
        "leave the dashboard out of new projects",
        "library/plumbline/template/template.toml",
        '    "deploy/**/*.json",\n',
        "",
        "tests/test_new_project.py::test_project_without_containers_has_none_of_their_files",
    ),
)
