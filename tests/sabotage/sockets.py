"""What happens after the commit, broken on purpose."""

from tests.sabotage import Sabotage

FILE = "library/plumbline/db/after_commit.py"
DB = "library/plumbline_tests/db/test_after_commit.py::"
HTTP = "library/plumbline_tests/http/test_after_commit.py::"

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
        "            calls = ()\n            DEFECTS.inc()\n",
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
        "read in the session that has ended",
        FILE,
        "    open_session.set(None)  # the block of the transaction, which has ended\n",
        "",
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
)
