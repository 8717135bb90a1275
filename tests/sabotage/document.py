"""Promises about the OpenAPI document, broken on purpose."""

from tests.sabotage import Sabotage

TEST = "tests/api/test_openapi.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "document parameters as null",
        "library/plumbline/http/openapi.py",
        'parameter["schema"] = _not_null(parameter["schema"])',
        "pass",
        TEST + "test_a_parameter_is_absent_but_never_null",
    ),
    Sabotage(
        "document If-Match as optional",
        "library/plumbline/http/openapi.py",
        '"428" in operation["responses"]',
        "False",
        TEST + "test_if_match_is_required_where_its_absence_is_refused",
    ),
    Sabotage(
        "leave out the refusals of a body",
        "library/plumbline/http/openapi.py",
        'dict(_WITH_A_BODY) if "requestBody" in operation else {}',
        "{}",
        TEST + "test_refusals_follow_from_what_an_operation_takes",
    ),
    Sabotage(
        "leave out the headers of answers",
        "library/plumbline/http/openapi.py",
        'names += ["ETag"]',
        "names += []",
        "tests/api/test_posts.py::test_post_answers_with_author_address_and_version",
    ),
    Sabotage(
        "forget a status that a route answers",
        "app/api/access.py",
        'name="owner-or-admin", errors=(*_NEEDED, Forbidden))',
        'name="owner-or-admin", errors=_NEEDED)',
        "tests/api/test_posts.py::test_stranger_cannot_delete_a_post",
    ),
    Sabotage(
        "say nothing of routes that are for everybody",
        "library/plumbline/http/openapi.py",
        'operation.setdefault("security", [])',
        "pass",
        TEST + "test_each_operation_says_whether_it_needs_a_token",
    ),
)
