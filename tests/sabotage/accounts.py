"""Promises about accounts, log-ins and limits, broken on purpose."""

from tests.sabotage import Sabotage

ACCESS, HOLDING = "tests/api/test_access.py", "tests/api/test_holding.py"
PASSWORDS = "tests/api/test_passwords.py"
KEYS, TOKENS = "tests/api/test_idempotency.py", "tests/api/test_tokens.py"
SWEEPING = "library/plumbline_tests/faults/test_sweeping.py"

_HELD = (
    Sabotage(
        "let an ended log-in store",
        "app/api/deps.py",
        "    callers.hold(db, caller)\n",
        "    db.info\n",
        ACCESS + "::test_request_whose_log_in_ends_before_it_writes_stores_nothing",
    ),
    Sabotage(
        "believe the role that the request began with",
        "app/services/callers.py",
        "(AccessToken.id == token_id) & (User.role == role)",
        "(AccessToken.id == token_id) & (User.role.concat(role) != '')",
        HOLDING + "::test_admin_who_is_removed_at_this_moment_does_nothing_more",
    ),
    Sabotage(
        "look at the caller's account without locking it",
        "app/services/callers.py",
        "return in_turn.with_for_update(read=shared, of=[User, AccessToken])",
        "return _unchanged(token_id=token_id, role=role)",
        HOLDING + "::test_answer_that_ends_a_log_in_comes_after_all_that_it_stores",
    ),
    Sabotage(
        "lock the log-in before its account",
        "app/services/callers.py",
        "of=[User, AccessToken]",
        "of=[AccessToken, User]",
        HOLDING + "::test_log_in_is_locked_after_its_account",
    ),
    Sabotage(
        "let one person's writes wait for each other",
        "app/services/callers.py",
        "read=shared, of=",
        "of=",
        HOLDING + "::test_one_persons_writes_do_not_wait_for_each_other",
    ),
    Sabotage(
        "let changes of one account wait in a circle",
        "app/api/deps.py",
        "    callers.hold_alone(db)\n",
        "",
        HOLDING + "::test_changes_of_one_account_at_once_do_not_wait_in_a_circle",
    ),
    Sabotage(
        "let those who write overtake who ends their log-in",
        "app/services/callers.py",
        "            take_turn(AccessToken.user_id, shared=shared)\n",
        "            User.id == AccessToken.user_id\n",
        HOLDING + "::test_log_in_that_writes_all_the_time_can_be_ended",
    ),
    Sabotage(
        "let an admin read on who is none any more",
        "app/api/access.py",
        'if request.method == "GET" and not await stands(user):',
        "if False:",
        HOLDING + "::test_admin_who_is_removed_while_reading_is_told_nothing",
    ),
)

_COUNTED = (
    Sabotage(
        "count what another limit refuses",
        "library/plumbline/db/rate_limits.py",
        "                found = await self._find_refusal(db, refused)\n",
        """                await db.commit()
                found = await self._find_refusal(db, refused)
""",
        "library/plumbline_tests/db/test_rate_limits.py::test_what_one_limit_refuses_counts_for_none_however_many_come_at_once",
    ),
    Sabotage(
        "take a place before the limit is asked",
        "library/plumbline/db/rate_limits.py",
        """        await self.ask(*limits)
        with place:
""",
        """        with place:
            await self.ask(*limits)
""",
        PASSWORDS + "::test_limit_is_asked_before_a_place_is_taken",
    ),
    Sabotage(
        "give one network all places",
        "library/plumbline/executor.py",
        "self.taken[network] >= max(1, places // 2)",
        "self.taken[network] >= places",
        PASSWORDS + "::test_one_network_takes_half_the_places_at_most",
    ),
    Sabotage(
        "estimate whole passwords",
        "app/core/security.py",
        "[:_STRENGTH_CHARACTERS]",
        "",
        PASSWORDS + "::test_strength_is_estimated_from_the_start_and_in_a_thread_of_its_own",
    ),
    Sabotage(
        "estimate in the thread that log-ins wait for",
        "app/core/security.py",
        "await estimating().run(",
        "await hashing().run(",
        PASSWORDS + "::test_strength_is_estimated_from_the_start_and_in_a_thread_of_its_own",
    ),
    Sabotage(
        "estimate the new password before the old one is checked",
        "app/services/users.py",
        "    await check_password(user, current_password)\n",
        "    await security.check_new_password(new_password)\n"
        "    await check_password(user, current_password)\n",
        PASSWORDS + "::test_wrong_password_is_refused_and_counted_before_the_new_one_is_estimated",
    ),
    Sabotage(
        "do the work again before the kept answer is looked for",
        "library/plumbline/http/idempotency.py",
        "if (kept := await store.find_kept(claim)) is not None:",
        "if (kept := None) is not None:",
        KEYS + "::test_repeated_password_change_and_log_in_count_as_no_attempt",
    ),
)

_KEPT = (
    Sabotage(
        "keep all log-ins",
        "app/services/tokens.py",
        "    await _make_room(db, user.id)\n",
        "",
        TOKENS + "::test_one_log_in_too_many_ends_the_oldest",
    ),
    Sabotage(
        "begin every page of log-ins with the newest",
        "app/services/tokens.py",
        "(AccessToken.user_id == user_id) & (AccessToken.id < before_id)",
        "AccessToken.user_id == user_id",
        TOKENS + "::test_log_ins_are_paged_by_key",
    ),
    Sabotage(
        "keep log-ins that nobody uses",
        "app/services/expiring.py",
        "        Expiring(AccessToken.id, AccessToken.last_used_at <= idle_since()),\n",
        "",
        "tests/db/test_expiring.py::test_expired_rows_of_every_table_go",
    ),
    Sabotage(
        "sweep one batch",
        "library/plumbline/db/sweeping.py",
        "while batch == BATCH_ROWS:",
        "if batch == BATCH_ROWS:",
        SWEEPING + "::test_expired_rows_of_every_table_go_in_batches",
    ),
    Sabotage(
        "wait for rows that somebody holds",
        "library/plumbline/db/sweeping.py",
        "with_for_update(skip_locked=True)",
        "with_for_update()",
        SWEEPING + "::test_row_that_somebody_holds_is_left_for_the_next_time",
    ),
    Sabotage(
        "take an outage for a defect of the sweeper",
        "library/plumbline/db/sweeping.py",
        "        except (*DATABASE_ERRORS, AppError) as error:\n",
        "        except AppError as error:\n",
        SWEEPING + "::test_service_sweeps_by_itself_and_again_after_an_outage",
    ),
)

SABOTAGES: tuple[Sabotage, ...] = (*_HELD, *_COUNTED, *_KEPT)
