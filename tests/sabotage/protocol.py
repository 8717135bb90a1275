"""Promises about HTTP as clients use it, broken on purpose."""

from tests.sabotage import Sabotage

API, HTTP = "tests/api/", "library/plumbline_tests/http/"
PARTS = "library/plumbline_tests/http/test_parts.py::"

_REQUESTS = (
    Sabotage(
        "name some methods of the path",
        "library/plumbline/http/request_context.py",
        'if start["status"] == HTTPStatus.METHOD_NOT_ALLOWED:',
        "if False:",
        HTTP + "test_methods.py::test_405_names_all_methods_of_the_path",
    ),
    Sabotage(
        "leave HEAD to the routes",
        "library/plumbline/http/request_context.py",
        'if method == "HEAD":',
        "if False:",
        HTTP + "test_methods.py::test_head_answers_as_get_does_without_the_body",
    ),
    Sabotage(
        "send a body to HEAD",
        "library/plumbline/http/request_context.py",
        "without_body(send)",
        "send",
        HTTP + "test_methods.py::test_head_has_no_body_whatever_the_server_does_with_it",
    ),
    Sabotage(
        "take the first of two hosts",
        "library/plumbline/http/request_context.py",
        "if len(hosts) > 1 or (",
        "if (",
        HTTP + "test_asgi.py::test_http_1_1_names_one_host",
    ),
    Sabotage(
        "take any Content-Length for a number",
        "library/plumbline/http/load_shedding.py",
        " or not _DIGITS.fullmatch(values[0])",
        "",
        HTTP + "test_asgi.py::test_unreadable_content_length_is_a_400",
    ),
    Sabotage(
        "demand headers of a response",
        "library/plumbline/http/request_context.py",
        '(start.get("headers") or ())',
        'start["headers"]',
        HTTP + "test_asgi.py::test_response_without_headers_gets_ours",
    ),
    Sabotage(
        "take a key in quotes for another one",
        "library/plumbline/http/idempotency.py",
        "key: str = bare or ",
        "key: str = lines[0] or ",
        HTTP + "test_idempotency_key.py::test_one_key_is_one_key_however_it_is_written",
    ),
    Sabotage(
        "take the first of two keys",
        "library/plumbline/http/idempotency.py",
        "if len(lines) > 1 or found is None:",
        "if found is None:",
        HTTP + "test_idempotency_key.py::test_malformed_key_is_a_400_and_stores_nothing",
    ),
)

_CONDITIONS = (
    Sabotage(
        "send what If-Match does not name",
        "library/plumbline/http/conditional_requests.py",
        "if self.if_match is not None and not _names(self.if_match, tag, exists=True):",
        "if False:",
        HTTP + "test_conditions.py::test_request_for_a_book_is_held_to_its_conditions",
    ),
    Sabotage(
        "change what If-None-Match names",
        "library/plumbline/http/conditional_requests.py",
        "if self._is_known(tag, exists=exists):",
        "if False:",
        HTTP + "test_conditions.py::test_request_for_a_book_is_held_to_its_conditions",
    ),
    Sabotage(
        "forget conditions where there is no ETag",
        "library/plumbline/http/conditional_requests.py",
        "if not self.is_checked:",
        "if False:",
        API + "test_conditions.py::test_routes_that_know_no_etag_are_held_to_conditions_too",
    ),
    Sabotage(
        "read the first line of a list",
        "library/plumbline/http/conditional_requests.py",
        'header = ", ".join(lines)',
        "header = lines[0]",
        HTTP + "test_conditions.py::test_lines_are_one_list_and_empty_elements_are_ignored",
    ),
)

_PAGES = (
    Sabotage(
        "hide the reason of a 500 from pages",
        "library/plumbline/http/request_context.py",
        "await with_cors(answer, self.origins)(scope, receive, send)",
        "await answer(scope, receive, send)",
        HTTP + "test_cors.py::test_page_may_read_every_answer",
    ),
    Sabotage(
        "let every page in",
        "library/plumbline/http/cors.py",
        "allow_origins=origins,",
        'allow_origins=["*"],',
        "library/plumbline_tests/http/test_cors_in_browser.py::test_page_of_any_other_origin_reads_nothing",
    ),
    Sabotage(
        "hide ETags from pages",
        "library/plumbline/http/cors.py",
        '    "ETag",\n',
        "",
        "library/plumbline_tests/http/test_cors_in_browser.py::test_page_of_another_origin_joins_writes_and_edits",
    ),
    Sabotage(
        "let every page into production",
        "library/plumbline/production.py",
        '"*" in parse_origins(settings.CORS_ORIGINS)',
        "False",
        "tests/core/test_production.py::test_unsafe_setting_is_refused_with_one_line",
    ),
    Sabotage(
        "tell OAuth libraries nothing",
        "library/plumbline/http/oauth.py",
        'if scope["method"] != "POST"',
        'if scope["method"] != "NONE"',
        API + "test_oauth.py::test_library_understands_why_a_log_in_is_refused",
    ),
)

_PARTS = (
    Sabotage(
        "give a key away when who asks is found too late",
        "library/plumbline/http/idempotency.py",
        "if _find(caller, request) != claimed_by:",
        "if False:",
        PARTS + "test_key_is_not_given_away_when_who_asks_is_found_too_late",
    ),
    Sabotage(
        "find out with the first key that no answer is kept",
        "library/plumbline/http/idempotency.py",
        "if not is_kept and not _made.isdisjoint(_calls(context.dependant)):",
        "if False:",
        PARTS + "test_route_that_would_not_keep_its_answer_stops_the_start",
    ),
    Sabotage(
        "leave a body that nobody has read out of the fingerprint",
        "library/plumbline/http/routing.py",
        "state.body = await request.body()",
        'state.body = b""',
        PARTS + "test_idempotency_alone_does_a_request_once",
    ),
    Sabotage(
        "give all services of a process the default limits",
        "library/plumbline/http/shutdown.py",
        "return given if isinstance(given, ServerSettings) else _default_settings()",
        "return _default_settings()",
        PARTS + "test_services_of_one_process_have_settings_of_their_own",
    ),
    Sabotage(
        "send the answer of an attempt that does not count",
        "library/plumbline/http/load_shedding.py",
        "            if state.is_to_run_again:",
        "            if False:",
        "library/plumbline_tests/faults/test_races.py"
        "::test_requests_in_a_deadlock_with_each_other_both_succeed",
    ),
)

SABOTAGES = _REQUESTS + _CONDITIONS + _PAGES + _PARTS
