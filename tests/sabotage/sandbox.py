"""Promises about event loops and traces, broken on purpose."""

from tests.sabotage import Sabotage

IN_TURN = (
    "library/plumbline_tests/db/test_event_loops.py::test_engine_serves_two_event_loops_in_turn"
)

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "keep the locks of the first event loop",
        "library/plumbline/db/turns.py",
        "                self._made = self._make()\n",
        "                pass\n",
        IN_TURN,
    ),
    Sabotage(
        "wait for the timer of the first event loop",
        "library/plumbline/db/pool.py",
        "            if loop is not self._trimming_in:\n",
        "            if self._trimming_in is None:\n",
        IN_TURN,
    ),
    Sabotage(
        "say goodbye on connections of an event loop that has ended",
        "library/plumbline/db/pool.py",
        " and (terminate or not driver.is_of_this_loop()):",
        " and terminate:",
        IN_TURN,
    ),
    Sabotage(
        "trace the steps of a request, and mark refusals among them as errors",
        "library/plumbline/http/install.py",
        '    "operation_spans": False,\n',
        "",
        "library/plumbline_tests/test_telemetry.py"
        "::test_each_request_is_one_span_that_only_a_5xx_marks_as_an_error",
    ),
)
