"""Promises about workers, metrics and logs, broken on purpose."""

from tests.sabotage import Sabotage

FAULTS = "tests/faults/"

SABOTAGES = (
    Sabotage(
        "close the socket on those who are just connecting",
        "app/http/drain.py",
        "    _listener = listener\n",
        "    _listener = None\n",
        FAULTS + "test_stopping.py::test_stop_resets_no_fresh_connection",
    ),
    Sabotage(
        "give the last connections a fixed time to be accepted",
        "app/http/listener.py",
        "while _has_unaccepted(listener.socket) and",
        "while False and",
        FAULTS + "test_stopping.py::test_stop_resets_no_fresh_connection",
    ),
    Sabotage(
        "let workers outlive their parent",
        "app/cli/workers.py",
        "    parent.join()\n",
        "    parent.join()\n    return\n",
        FAULTS + "test_workers.py::test_killed_parent_leaves_no_worker_and_no_taken_port",
    ),
    Sabotage(
        "wait for the answer of a worker",
        "app/cli/workers.py",
        "            while self.parent_conn.poll():\n",
        "            while self.parent_conn.poll(timeout if self._asked_at else 0):\n",
        FAULTS
        + "test_workers.py"
        + "::test_supervisor_does_not_wait_for_a_worker_that_dies_or_hangs_while_it_starts",
    ),
    Sabotage(
        "let each worker count for itself",
        "app/cli/serve.py",
        "        os.environ[metrics.VARIABLE] = name\n",
        "",
        FAULTS + "test_workers.py::test_scrape_shows_the_sum_of_all_workers_and_of_no_dead_one",
    ),
    Sabotage(
        "count the gauges of dead workers",
        "app/core/metrics.py",
        "and not _is_alive(pid):",
        "and pid < 0:",
        FAULTS + "test_workers.py::test_scrape_shows_the_sum_of_all_workers_and_of_no_dead_one",
    ),
)
