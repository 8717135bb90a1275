"""Sabotages of metrics, and of what is made of them."""

from tests.sabotage import Sabotage

METRICS = "library/plumbline/metrics.py"
POOL = "library/plumbline/db/pool.py"
CONTEXT = "library/plumbline/http/request_context.py"
USAGE = "library/plumbline_tests/http/test_usage.py::"
ALERTS = "tests/deploy/test_alerts.py::"

SABOTAGES = (
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
        "counter.labels(route).inc(now - before)",
        "counter.labels(route).inc(now)",
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
        "show a metric that is not there",
        "deploy/grafana/dashboard.json",
        "sum (db_pool_waiting{",
        "sum (db_pool_waiters{",
        ALERTS + "test_each_metric_that_is_asked_for_is_given",
    ),
    Sabotage(
        "alert without a section that says more",
        "docs/operations.md",
        "### EventLoopBlocked\n",
        "### Blocked\n",
        ALERTS + "test_each_alert_says_what_to_do_and_where_more_is",
    ),
)
