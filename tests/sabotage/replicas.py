"""What reads from replicas promise, broken on purpose."""

from tests.sabotage import Sabotage

REAL = "library/plumbline_tests/faults/test_replicas.py::"
KNOWN = "library/plumbline_tests/db/test_known_replicas.py::"
LOG = "library/plumbline_tests/db/test_positions.py::"
REPLICAS, POSITIONS = "library/plumbline/db/replicas.py", "library/plumbline/db/positions.py"
REPLICA, READING = "library/plumbline/db/replica.py", "library/plumbline/db/reading.py"
SESSION = "library/plumbline/db/replica_session.py"
CONSISTENCY = "library/plumbline/http/consistency.py"
OWN = REAL + "test_caller_reads_what_they_wrote_and_nobody_sees_less_than_before"

HOSTS = "library/plumbline/db/hosts.py"
FOUND = "library/plumbline_tests/db/test_hosts.py::"
LEFT = "library/plumbline_tests/faults/test_opening_replicas.py::"
ELSEWHERE = "library/plumbline_tests/faults/test_reads_elsewhere.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "read from a replica that lacks what its caller wrote",
        REPLICA,
        "return seen.moment <= self.moment or seen.replica in self.names",
        "return seen.moment > 0",
        OWN,
    ),
    Sabotage(
        "let only writes count as seen",
        REPLICAS,
        "return Seen(self.primary.name, moment, replica)",
        "brought = [each.moment for each in current.needs]\n"
        "        return Seen(self.primary.name, max(brought or [moment]), replica)",
        REAL + "test_who_has_read_from_the_primary_sees_no_less_afterwards",
    ),
    Sabotage(
        "take another replica for the one that showed it",
        REPLICA,
        "or seen.replica in self.names",
        'or seen.replica != ""',
        KNOWN + "test_replica_has_what_was_committed_before_the_primary_was_where_it_is",
    ),
    Sabotage(
        "believe a replica that restarted what it had before",
        REPLICA,
        "            self.names.clear()\n",
        "            pass\n",
        KNOWN + "test_replica_that_has_restarted_has_no_more_than_it_says",
    ),
    Sabotage(
        "trust a replica that does not follow the new primary",
        REPLICA,
        "or mark.lsn > self._met_at)",
        "or mark.lsn)",
        KNOWN + "test_replica_that_has_more_than_its_new_primary_is_not_used_until_it_follows",
    ),
    Sabotage(
        "read from a replica however far behind it is",
        REPLICAS,
        "max(0, self.primary.moment - self._max_lag)",
        "0",
        KNOWN + "test_replica_that_is_behind_is_not_usable",
    ),
    Sabotage(
        "let a write read from a replica",
        CONSISTENCY,
        'may_use_replicas=scope["method"] == "GET"',
        "may_use_replicas=True",
        REAL + "test_only_requests_that_cannot_write_read_from_replicas",
    ),
    Sabotage(
        "let a late answer take away what a browser wrote",
        CONSISTENCY,
        "{COOKIE_OF_REPLICA if seen.replica else COOKIE}=",
        "{COOKIE}=",
        REAL + "test_browser_keeps_what_it_wrote_although_a_read_is_answered_later",
    ),
    Sabotage(
        "fail for what a replica does not have yet",
        SESSION,
        '    return not is_full and not (sqlstate(error) or "").startswith(_THE_SAME_THERE)\n',
        "    return False and is_full\n",
        REAL + "test_replica_that_does_not_have_a_new_table_fails_nobody",
    ),
    Sabotage(
        "ask a connection that is closed what it was told",
        SESSION,
        "driver is None or driver.is_closed()",
        "driver is None",
        REAL + "test_read_of_a_replica_that_is_left_is_done_by_the_primary",
    ),
    Sabotage(
        "let reads wait for a replica that was left",
        REPLICA,
        "        for driver in [*self._drivers]:\n            driver.terminate()\n",
        "",
        REAL + "test_read_of_a_replica_that_is_left_is_done_by_the_primary",
    ),
    Sabotage(
        "fail for a token that is none",
        "library/plumbline/db/reading.py",
        "return UNKNOWN if found is None else",
        "return",
        REAL + "test_forged_token_costs_a_read_of_the_primary",
    ),
    Sabotage(
        "begin with the new time when the clock was set back",
        POSITIONS,
        "return max(self._floor, now +",
        "return max(0, now +",
        LOG + "test_clock_that_was_set_back_is_later_than_what_others_have_seen",
    ),
    Sabotage(
        "go on at once when the clock was set forward",
        POSITIONS,
        "heard_at + _HOLD_MICROSECONDS",
        "heard_at",
        LOG + "test_clock_that_was_set_forward_counts_when_all_have_heard_of_it",
    ),
    Sabotage(
        "ask a replica before each read",
        "library/plumbline/db/statements.py",
        "    connection = await pool.acquire()\n",
        "    connection = await pool.acquire()\n"
        '    await connection.driver_connection.fetch("SELECT 1")  # type: ignore[union-attr]\n',
        REAL + "test_read_of_a_replica_is_one_round_trip",
    ),
    Sabotage(
        "read from replicas of another database",
        REPLICAS,
        " or current.database != self.database or",
        " or",
        KNOWN + "test_request_reads_from_replicas_of_its_own_database",
    ),
    Sabotage(
        "let a request read from a replica after it has written",
        READING,
        "return self.may_use_replicas and not self.lives",
        "return self.may_use_replicas",
        REAL + "test_request_that_writes_although_it_is_a_get_reads_what_it_wrote",
    ),
    Sabotage(
        "let reads wait for a turn of a replica that was left",
        REPLICA,
        "        self.pool.turns.here().refuse(partial(ConnectionAbortedError, _LEFT))\n",
        "",
        LEFT + "test_who_waits_for_a_connection_of_a_replica_is_left_with_it",
    ),
    Sabotage(
        "let reads wait for the handshake of a replica that was left",
        REPLICA,
        "            self._limits.pop().reschedule(0)\n",
        "            self._limits.pop()\n",
        LEFT + "test_connection_in_its_handshake_is_left_with_the_replica",
    ),
    Sabotage(
        "open connections to a replica that was left",
        REPLICA,
        "        if self._is_left:",
        "        if False:",
        LEFT + "test_connection_in_its_handshake_is_left_with_the_replica",
    ),
    Sabotage(
        "ask only the primary for what a replica has failed",
        SESSION,
        "        if not _is_gone(error):\n",
        "        if error is not None:\n",
        ELSEWHERE + "test_read_whose_replica_dies_is_done_by_another_while_there_is_no_primary",
    ),
    Sabotage(
        "give up a read while a replica that was there is asked again",
        REPLICAS,
        "        if not await self._until_fit_for(current):\n",
        "        if self._best_for(current) is None:\n",
        ELSEWHERE + "test_read_waits_for_a_replica_that_was_there_a_moment_ago",
    ),
    Sabotage(
        "keep to the primary that died under a read",
        READING,
        "            current.lives.clear()\n",
        "            pass\n",
        ELSEWHERE + "test_read_waits_for_a_replica_that_was_there_a_moment_ago",
    ),
    Sabotage(
        "fail a request whose replica is gone after its first read",
        REPLICAS,
        "away.may_pass = bool(current.reads)",
        "away.may_pass = False",
        ELSEWHERE + "test_request_begins_again_elsewhere_when_what_it_has_read_from_is_gone",
    ),
    Sabotage(
        "give up a slow host when its share is over",
        HOSTS,
        "            if not done:\n",
        "            if not done and self._running.pop(last):\n",
        FOUND + "test_host_that_is_slow_is_not_given_up_when_its_share_is_over",
    ),
    Sabotage(
        "let hosts rest although one of them was found",
        HOSTS,
        "if began > self._found_at and all(",
        "if all(",
        FOUND + "test_verdict_on_the_hosts_is_not_that_of_who_began_before_one_was_found",
    ),
    Sabotage(
        "spend all the time on the first host",
        HOSTS,
        "[*self._running][-1], self._left() / shared_by",
        "[*self._running][-1], self._left()",
        FOUND + "test_host_that_is_silent_or_refuses_is_passed_by_and_tried_last_from_then_on",
    ),
    Sabotage(
        "begin with the first host each time",
        HOSTS,
        "                    self._prefer(found.address)\n",
        "",
        FOUND + "test_host_that_is_silent_or_refuses_is_passed_by_and_tried_last_from_then_on",
    ),
    Sabotage(
        "let a crowd try each host all the time",
        HOSTS,
        "        if began < self._none_until:\n            raise self._none()\n",
        "",
        FOUND + "test_hosts_of_which_none_answers_rest_a_moment",
    ),
    Sabotage(
        "take a standby for the primary",
        HOSTS,
        'PRIMARY = "primary"',
        'PRIMARY = "any"',
        REAL + "test_of_several_hosts_the_primary_is_found_also_behind_a_standby",
    ),
)
