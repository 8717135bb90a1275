"""What is acknowledged is stored: promises of the database layer, broken on purpose."""

from tests.sabotage import Sabotage

FAULTS, API = "library/plumbline_tests/faults/", "tests/api/"
PITFALLS = "library/plumbline_tests/pitfalls/"


SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "commit after the response",
        "library/plumbline/http/idempotency.py",
        'Depends(get_db, scope="function")',
        "Depends(get_db)",
        PITFALLS
        + "test_commit_before_response.py::test_failed_commit_is_never_answered_as_a_success",
        says='ask for it as Depends(get_db, scope="function")',
    ),
    Sabotage(
        "take any lost commit for done",
        "library/plumbline/db/connection.py",
        """        if is_committed is None:
            raise CommitResultUnknown(committing) from error
        if not is_committed:
""",
        "        if is_committed is False:\n",
        FAULTS + "test_commit_outcome.py::test_black_hole_at_commit_ends_with_the_truth",
    ),
    Sabotage(
        "take a commit that was rolled back for done",
        "library/plumbline/db/connection.py",
        "        if not is_committed:\n",
        "        if is_committed is None:\n",
        FAULTS + "test_commit_outcome.py::test_cut_commits_are_told_as_they_ended",
    ),
    Sabotage(
        "take every lost commit for rolled back",
        "library/plumbline/db/commit_status.py",
        '{"committed": True, "aborted": False}.get(status or "")',
        "False",
        FAULTS + "test_commit_outcome.py::test_cut_commits_are_told_as_they_ended",
    ),
    Sabotage(
        "believe a transaction number after a crash",
        "library/plumbline/db/commit_status.py",
        "{LIFE} = :life",
        "CAST(:life AS text) IS NOT NULL",
        FAULTS
        + "test_commit_outcome.py::test_number_that_a_crash_gives_away_again_vouches_for_nobody",
    ),
    Sabotage(
        "take ROLLBACK as an answer to COMMIT",
        "library/plumbline/db/connection.py",
        'if status == "ROLLBACK":',
        "if False:",
        "library/plumbline_tests/db/test_session.py::test_swallowed_error_of_a_statement_is_not_taken_for_success",
    ),
    Sabotage(
        "go on after a failed flush",
        "library/plumbline/db/session.py",
        "                await self._session.commit_block()\n",
        """                if self._session.is_active:
                    await self._session.commit_block()
""",
        "library/plumbline_tests/db/test_session.py::test_swallowed_error_of_a_flush_is_not_taken_for_success",
    ),
    Sabotage(
        "do not wait for the disk",
        "library/plumbline/db/engine.py",
        '"timezone": "UTC"}',
        '"timezone": "UTC", "synchronous_commit": "off"}',
        FAULTS + "test_durability.py::test_commits_wait_for_the_disk",
    ),
    Sabotage(
        "be ready on a database that forgets",
        "library/plumbline/db/readiness.py",
        'if value == "off"]',
        'if value == "never"]',
        FAULTS + "test_durability.py::test_production_is_not_ready_on_a_database_that_forgets",
    ),
    Sabotage(
        "keep the answer in a transaction of its own",
        "library/plumbline/db/idempotency.py",
        "        await self._keep.one(db, digest",
        """        async with AsyncSession(db.bind) as own, own.begin():
            await self._keep.one(own, digest""",
        FAULTS + "test_once.py::test_as_many_rows_as_requests",
    ),
    Sabotage(
        "let two requests with one key run at once",
        "library/plumbline/db/idempotency.py",
        "if not (yield from _LOCK.steps(number=number)):",
        "if number is None:",
        FAULTS + "test_once.py::test_as_many_rows_as_requests",
    ),
    Sabotage(
        "wait for the first request with the key",
        "library/plumbline/db/idempotency.py",
        "func.pg_try_advisory_xact_lock(number)",
        "func.pg_advisory_xact_lock(number).is_not(None)",
        "library/plumbline_tests/http/test_idempotency.py::test_second_request_does_not_wait_for_the_first",
    ),
    Sabotage(
        "take a key for another request",
        "library/plumbline/db/idempotency.py",
        "if row.fingerprint != claim.fingerprint:",
        "if False:",
        "library/plumbline_tests/http/test_idempotency.py::test_key_with_another_request_is_refused",
    ),
    Sabotage(
        "give everybody's key to everybody",
        "library/plumbline/http/idempotency.py",
        '"digest", caller.encode()',
        '"digest", b""',
        "library/plumbline_tests/http/test_idempotency.py::test_key_of_somebody_else_is_another_key",
    ),
    Sabotage(
        "keep answers readable",
        "library/plumbline/http/idempotency.py",
        "    nonce = os.urandom(NONCE_BYTES)\n",
        "    return json.dumps(answer).encode()\n    nonce = os.urandom(NONCE_BYTES)\n",
        API + "test_idempotency.py::test_log_in_is_repeated_without_its_token_being_readable",
    ),
    Sabotage(
        "claim the key before the work that needs no transaction",
        "library/plumbline/http/idempotency.py",
        "    store.claim_at_begin(db, claim, replay)\n",
        "    store.claim_at_begin(db, claim, replay)\n    await db.connection()\n",
        API + "test_idempotency.py::test_keyed_log_in_holds_no_connection_while_it_hashes",
    ),
    Sabotage(
        "take a lost connection for a defect",
        "library/plumbline/db/errors.py",
        "if is_unavailable or error.connection_invalidated or",
        "if is_unavailable or",
        "library/plumbline_tests/db/test_failures.py::test_lost_connection_is_unavailable_whatever_the_driver_calls_it",
    ),
    Sabotage(
        "take a full disk for a defect",
        "library/plumbline/db/errors.py",
        '_UNAVAILABLE_CLASSES = {"08", "53", "57"}',
        '_UNAVAILABLE_CLASSES = {"08", "57"}',
        FAULTS + "test_outages.py::test_full_disk_is_a_503_for_writes",
    ),
    Sabotage(
        "stay with a primary that only reads",
        "library/plumbline/db/engine.py",
        "== READ_ONLY\n",
        '== "00000"\n',
        "library/plumbline_tests/db/test_session.py::test_demoted_primary_is_left",
    ),
    Sabotage(
        "use connections that the server has closed",
        "library/plumbline/db/pool.py",
        "    if driver.is_closed():\n",
        "    if False:\n",
        "library/plumbline_tests/db/test_session.py::test_connection_that_the_server_closed_is_replaced_unseen",
    ),
    Sabotage(
        "never run a request again",
        "library/plumbline/http/load_shedding.py",
        "MAX_ATTEMPTS = 4",
        "MAX_ATTEMPTS = 1",
        FAULTS + "test_races.py::test_requests_in_a_deadlock_with_each_other_both_succeed",
    ),
    Sabotage(
        "wait for an answer for ever",
        "library/plumbline/db/engine.py",
        '"command_timeout": settings.DB_COMMAND_TIMEOUT_SECONDS,',
        '"command_timeout": None,',
        FAULTS + "test_outages.py::test_database_that_stands_still_is_a_503_within_five_seconds",
    ),
    Sabotage(
        "let everybody in",
        "library/plumbline/http/load_shedding.py",
        "or self.places.take()",
        "or self.places.take() or True",
        FAULTS + "test_overload.py::test_excess_is_refused_at_once_and_probes_are_answered",
    ),
    Sabotage(
        "refuse those who watch us, too",
        "library/plumbline/http/load_shedding.py",
        "_UNLIMITED = PROBES",
        "_UNLIMITED = frozenset[str]()",
        FAULTS + "test_overload.py::test_excess_is_refused_at_once_and_probes_are_answered",
    ),
    Sabotage(
        "ask the database for each probe",
        "library/plumbline/db/readiness.py",
        "time.monotonic() >= self._fresh_until",
        "time.monotonic() >= 0",
        FAULTS + "test_overload.py::test_64_probes_are_one_question",
    ),
    Sabotage(
        "close idle connections at once",
        "library/plumbline/http/shutdown.py",
        "self.loop.call_later(self.settings.DRAIN_SECONDS, super().shutdown)",
        "super().shutdown()",
        FAULTS + "test_deploys.py::test_rolling_restarts_fail_no_request",
    ),
    Sabotage(
        "be ready to the last",
        "library/plumbline/http/shutdown.py",
        "    signal.signal(signal.SIGTERM, on_sigterm)\n",
        "",
        FAULTS + "test_deploys.py::test_stopping_service_is_not_ready_and_finishes_what_runs",
    ),
    Sabotage(
        "overwrite unseen",
        "library/plumbline/http/conditional_requests.py",
        "if self.if_match is not None and not _names(self.if_match, tag, exists=exists):",
        "if False:",
        FAULTS + "test_races.py::test_no_edit_of_many_writers_is_lost",
    ),
    Sabotage(
        "do not say which field is taken",
        "library/plumbline/db/errors.py",
        '_each(fields, "taken", "is already taken")',
        "()",
        FAULTS + "test_races.py::test_of_many_who_join_as_the_same_person_one_does",
    ),
    Sabotage(
        "let everybody queue behind a migration",
        "library/plumbline/db/environment.py",
        "milliseconds = round(migrations.settings.MIGRATION_LOCK_TIMEOUT_SECONDS * 1000)",
        "milliseconds = 0",
        FAULTS + "test_migrations_under_load.py"
        "::test_migration_that_meets_a_long_reader_steps_back_until_it_is_gone",
    ),
    Sabotage(
        "let reads overtake who waits for a connection",
        "library/plumbline/db/pool.py",
        """        if not self.turns.here().take():
            await self._wait_for_turn()
""",
        "",
        "library/plumbline_tests/db/test_session.py::test_nobody_is_overtaken_who_waits_for_a_connection",
    ),
    Sabotage(
        "use a connection again that did not answer a read",
        "library/plumbline/db/statements.py",
        "        connection.invalidate()  # cancelled",
        "        pass  # cancelled",
        "library/plumbline_tests/db/test_statements.py::test_connection_that_did_not_answer_is_not_used_again",
    ),
    Sabotage(
        "let an insert overtake what the session has to say",
        "library/plumbline/db/steps.py",
        "    session.flush()",
        "    pass",
        "library/plumbline_tests/db/test_statements.py::test_write_comes_after_what_the_session_has_to_say",
    ),
)
