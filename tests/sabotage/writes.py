"""Promises of a transaction that the driver runs (owned_session.py), broken on purpose."""

from tests.sabotage import Sabotage

SESSION = "library/plumbline/db/owned_session.py"
TESTS = "library/plumbline_tests/db/test_direct.py::"

SABOTAGES = (
    Sabotage(
        "commit nothing of what the driver has run",
        SESSION,
        "            await self._adapted._call_and_discard(self._adapted._transaction.commit)",
        "            await self._adapted._call_and_discard(self._adapted._transaction.rollback)",
        TESTS + "test_compiled_statements_alone_are_the_drivers",
    ),
    Sabotage(
        "let what comes after compiled statements begin a transaction of its own",
        SESSION,
        '        """Asked by all that is about to use a connection."""\n        self._adopt()\n',
        '        """Asked by all that is about to use a connection."""\n',
        TESTS + "test_whatever_comes_after_them_is_in_the_same_transaction",
    ),
    Sabotage(
        "run a compiled statement beside its SAVEPOINT",
        SESSION,
        "        if self._nested_transaction is not None or not self._is_clean():",
        "        if not self._is_clean():",
        TESTS + "test_whatever_comes_after_them_is_in_the_same_transaction",
    ),
    Sabotage(
        "pass by what goes first in a transaction",
        SESSION,
        "            await self.direct.run(act.take())\n",
        "            act.take()\n",
        TESTS + "test_step_that_refuses_ends_the_transaction_before_its_work",
    ),
    Sabotage(
        "give a connection back whose transaction is open",
        "library/plumbline/db/before_statement.py",
        "        connection.invalidate()\n        raise\n",
        "        raise\n",
        TESTS + "test_nobody_ends_it_in_the_block",
    ),
    Sabotage(
        "take a step that leaves something in the server's session",
        "library/plumbline/db/statements.py",
        "        if not self._is_plain:\n            raise TypeError(_NO_STEP)",
        "        if not self._is_plain:\n            pass",
        TESTS + "test_what_leaves_something_behind_is_no_step",
    ),
)
