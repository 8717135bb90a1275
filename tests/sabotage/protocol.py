"""Promises about HTTP as clients use it, broken on purpose."""

from tests.sabotage import Sabotage

API, HTTP = "tests/api/", "tests/http/"

_REQUESTS = (
    Sabotage(
        "name some methods of the path",
        "library/plumbline/http/methods.py",
        'if start["status"] != HTTPStatus.METHOD_NOT_ALLOWED:',
        "if True:",
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
        "library/plumbline/http/framing.py",
        "return hosts == 1 or",
        "return hosts >= 1 or",
        HTTP + "test_asgi.py::test_http_1_1_names_one_host",
    ),
    Sabotage(
        "take any Content-Length for a number",
        "library/plumbline/http/framing.py",
        " or not _DIGITS.fullmatch(values[0])",
        "",
        HTTP + "test_asgi.py::test_unreadable_content_length_is_a_400",
    ),
    Sabotage(
        "demand headers of a response",
        "library/plumbline/http/headers.py",
        '(start.get("headers") or ())',
        'start["headers"]',
        HTTP + "test_asgi.py::test_response_without_headers_gets_ours",
    ),
    Sabotage(
        "take a key in quotes for another one",
        "library/plumbline/http/idempotency.py",
        "key: str = bare or ",
        "key: str = lines[0] or ",
        API + "test_idempotency_key.py::test_one_key_is_one_key_however_it_is_written",
    ),
    Sabotage(
        "take the first of two keys",
        "library/plumbline/http/idempotency.py",
        "if len(lines) > 1 or found is None:",
        "if found is None:",
        API + "test_idempotency_key.py::test_malformed_key_is_a_400_and_stores_nothing",
    ),
)

_CONDITIONS = (
    Sabotage(
        "send what If-Match does not name",
        "library/plumbline/http/conditional_requests.py",
        "if self.if_match is not None and not _names(self.if_match, tag, exists=True):",
        "if False:",
        API + "test_conditions.py::test_request_for_a_post_is_held_to_its_conditions",
    ),
    Sabotage(
        "change what If-None-Match names",
        "library/plumbline/http/conditional_requests.py",
        "if self._is_known(tag, exists=exists):",
        "if False:",
        API + "test_conditions.py::test_request_for_a_post_is_held_to_its_conditions",
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
        API + "test_conditions.py::test_lines_are_one_list_and_empty_elements_are_ignored",
    ),
)

_PAGES = (
    Sabotage(
        "hide the reason of a 500 from pages",
        "library/plumbline/http/request_context.py",
        "with_cors(status_problem(HTTPStatus.INTERNAL_SERVER_ERROR))",
        "status_problem(HTTPStatus.INTERNAL_SERVER_ERROR)",
        HTTP + "test_cors.py::test_page_may_read_every_answer",
    ),
    Sabotage(
        "let every page in",
        "library/plumbline/http/cors.py",
        "allow_origins=origins,",
        'allow_origins=["*"],',
        HTTP + "test_cors_in_browser.py::test_page_of_any_other_origin_reads_nothing",
    ),
    Sabotage(
        "hide ETags from pages",
        "library/plumbline/http/cors.py",
        '    "ETag",\n',
        "",
        HTTP + "test_cors_in_browser.py::test_page_of_another_origin_signs_up_writes_and_logs_out",
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
        "app/api/oauth.py",
        'return scope["method"] == "POST"',
        'return scope["method"] == "NONE"',
        API + "test_oauth.py::test_library_understands_why_a_log_in_is_refused",
    ),
)

SABOTAGES = _REQUESTS + _CONDITIONS + _PAGES
