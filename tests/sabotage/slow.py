"""What slow work promises, broken on purpose."""

from tests.sabotage import Sabotage

SLOW = "library/plumbline_tests/db/test_slow_work.py::"
ENGINE, ERRORS = "library/plumbline/db/engine.py", "library/plumbline/db/errors.py"
NAMED = SLOW + "test_error_names_the_setting_that_ended_it"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "give up on this side what PostgreSQL still works on",
        ENGINE,
        '            "DB_COMMAND_TIMEOUT_SECONDS": seconds + 1,\n',
        "",
        SLOW + "test_slow_statement_may_take_longer_and_ordinary_ones_are_answered",
    ),
    Sabotage(
        "end slow work that computes between its statements",
        ENGINE,
        "                seconds, settings.DB_IDLE_TRANSACTION_TIMEOUT_SECONDS\n",
        "                0, settings.DB_IDLE_TRANSACTION_TIMEOUT_SECONDS\n",
        SLOW + "test_transaction_of_slow_work_may_compute_between_its_statements",
    ),
    Sabotage(
        "hold a connection while a slow reader reads",
        "library/plumbline/db/batches.py",
        "        if found:\n            yield [",
        "            if found:\n                yield [",
        SLOW + "test_slow_readers_hold_no_connection",
    ),
    Sabotage(
        "call a slow statement unreachable",
        ERRORS,
        "_TOO_LONG if is_late else _AWAY",
        "_AWAY",
        NAMED,
    ),
    Sabotage(
        "name no setting that ended a statement",
        ERRORS,
        '    "57014": "a statement took longer than DB_STATEMENT_TIMEOUT_SECONDS, or',
        '    "57014": "a statement took too long, or',
        NAMED,
    ),
)
