"""Uploads, LISTEN, and what the start refuses, broken on purpose."""

from tests.sabotage import Sabotage

HTTP = "library/plumbline/http/"
TESTS = "library/plumbline_tests/"
UPLOADS = TESTS + "http/test_uploads.py::"
ROUTES = TESTS + "http/test_upload_routes.py::"
LISTENING = "library/plumbline/db/listening.py"
LISTENS = TESTS + "db/test_listening.py::"
ASYNC = TESTS + "http/test_async_routes.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "hold uploads to the limit of other bodies",
        HTTP + "load_shedding.py",
        "limit = self.usual if self.limits.are_none else self.limits.find(scope) or self.usual",
        "limit = self.usual",
        UPLOADS + "test_route_takes_more_than_others_and_keeps_it_on_disk",
    ),
    Sabotage(
        "keep uploads in memory",
        HTTP + "uploads.py",
        "    spool_max_size = 65_536",
        "    spool_max_size = 0",
        UPLOADS + "test_route_takes_more_than_others_and_keeps_it_on_disk",
    ),
    Sabotage(
        "read an upload whole before it is asked for",
        HTTP + "body_limits.py",
        "BodyLimit(size, takes_files(context) or reads_itself)",
        "BodyLimit(size)",
        UPLOADS + "test_abandoned_upload_leaves_nothing",
    ),
    Sabotage(
        "take in a file before the rule is asked",
        HTTP + "uploads.py",
        "route.dependant.dependencies.insert(place, late)",
        "route.dependant.dependencies.insert(0, late)",
        UPLOADS + "test_who_asks_is_checked_before_the_body_is_taken_in",
    ),
    Sabotage(
        "wait for an upload for ever",
        HTTP + "body_limits.py",
        "async with asyncio.timeout(left_seconds):",
        "async with asyncio.timeout(None):",
        UPLOADS + "test_slow_sender_has_a_deadline",
    ),
    Sabotage(
        "let any number of uploads come at once",
        HTTP + "admission.py",
        "return uploads.take() or await uploads.wait_in_time()",
        "return uploads.take() or True",
        UPLOADS + "test_uploads_at_once_are_bounded_and_take_no_place_of_others",
    ),
    Sabotage(
        "read an upload into memory for its Idempotency-Key",
        HTTP + "routing.py",
        "        raise Malformed(UPLOADED)\n",
        "        pass\n",
        UPLOADS + "test_key_on_an_upload_is_refused_and_on_a_small_one_kept",
    ),
    Sabotage(
        "take a form that is sent again for another one",
        HTTP + "idempotency.py",
        'body = body.replace(boundary, b"")',
        "pass",
        UPLOADS + "test_key_on_an_upload_is_refused_and_on_a_small_one_kept",
    ),
    Sabotage(
        "put the fields of an upload down to us",
        HTTP + "sent.py",
        "    yield from state.texts\n",
        "",
        UPLOADS + "test_value_of_a_field_is_the_callers",
    ),
    Sabotage(
        "let a route keep a large file in memory",
        HTTP + "install.py",
        "    require_uploads_on_disk(app)\n",
        "",
        UPLOADS + "test_route_that_keeps_a_large_file_in_memory_stops_the_start",
    ),
    Sabotage(
        "hold a connection while an upload comes",
        HTTP + "uploads.py",
        "            raise RuntimeError(_HELD)",
        "            pass",
        ROUTES + "test_transaction_that_is_open_while_an_upload_comes_is_told",
    ),
    Sabotage(
        "overlook the limits of mounted applications",
        HTTP + "body_limits.py",
        'yield from _limits(getattr(context.original_route, "routes", None) or (), path)',
        "continue",
        ROUTES + "test_limit_holds_however_the_route_is_reached",
    ),
    Sabotage(
        "say nothing of what may be missed",
        LISTENING,
        "                yield None\n",
        "",
        LISTENS + "test_connection_that_is_killed_comes_back_and_says_so",
    ),
    Sabotage(
        "do not notice a dead listener",
        LISTENING,
        '            await driver.execute("SELECT 1", timeout=ANSWER_SECONDS)\n',
        "",
        LISTENS + "test_silent_connection_is_asked_whether_it_is_there",
    ),
    Sabotage(
        "keep all messages that nobody reads",
        LISTENING,
        "if self.qsize() >= MAX_WAITING:",
        "if False:",
        LISTENS + "test_messages_that_nobody_reads_are_bounded_and_count_as_missed",
    ),
    Sabotage(
        "let one error end a listener",
        LISTENING,
        "        except Exception:\n            DEFECTS.inc()",
        "        except ArithmeticError:\n            raise\n        except Exception:\n"
        "            DEFECTS.inc()",
        LISTENS + "test_listener_of_a_lifespan_goes_on_after_an_error_and_ends_with_it",
    ),
    Sabotage(
        "listen behind PgBouncer",
        "library/plumbline/db/engine.py",
        "None if settings.DB_PGBOUNCER else _alone(control, hosts, settings, role)",
        "_alone(control, hosts, settings, role)",
        LISTENS + "test_pgbouncer_and_other_engines_and_names_that_are_cut_are_refused",
    ),
    Sabotage(
        "run our routes in threads",
        HTTP + "async_routes.py",
        "if is_refused or harm or",
        "if harm or",
        ASYNC + "test_plain_dependency_of_our_routes_stops_the_start",
    ),
    Sabotage(
        "let a thread set a variable that nobody sees",
        HTTP + "async_routes.py",
        'return ", whose ContextVar nobody sees" if _sets_a_variable(function) else ""',
        'return ""',
        ASYNC + "test_what_cannot_work_stops_the_start_on_any_route",
    ),
    Sabotage(
        "start with a public route that asks who it is",
        HTTP + "access.py",
        "if rule.dependency is _anybody and asked:",
        "if False:",
        TESTS + "http/test_access_rules.py::test_public_route_that_asks_who_it_is_stops_the_start",
    ),
)
