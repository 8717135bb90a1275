"""Promises about names, passwords and the audit, broken on purpose."""

from tests.sabotage import Sabotage

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "a number in a URL has many spellings",
        "app/http/schemas.py",
        '_NUMBER = re.compile("[1-9][0-9]{0,18}")',
        r'_NUMBER = re.compile(r"\s*[+]?\d[\d_.]*")',
        "tests/api/test_numbers.py::test_number_in_a_url_has_one_spelling",
    ),
    Sabotage(
        "only ids in paths are checked",
        "app/http/paging.py",
        'description="How many at the most."), Number]',
        'description="How many at the most.")]',
        "tests/api/test_numbers.py::test_number_in_a_url_has_one_spelling",
    ),
    Sabotage(
        "a path goes into a header as it came",
        "app/http/paging.py",
        'quote(request.scope["path"])',
        'request.scope["path"]',
        "tests/api/test_numbers.py::test_path_is_quoted_in_the_link_to_the_next_page",
    ),
    Sabotage(
        "the scope of Db is forgotten",
        "app/http/deps.py",
        'Depends(get_db_once, scope="function")',
        "Depends(get_db_once)",
        "tests/pitfalls/test_route_guards.py"
        "::test_each_step_to_a_session_has_the_scope_of_the_function",
    ),
    Sabotage(
        "a rule of somebody's own making will do",
        "app/http/access.py",
        "if len(rules) > 1 or rules[0] not in RULES:",
        "if len(rules) > 1:",
        "tests/api/test_access.py::test_half_a_rule_stops_the_start",
    ),
    Sabotage(
        "a rule must stand alone",
        "app/http/access.py",
        "if len(rules) > 1 or rules[0] not in RULES:",
        "if len(context.dependencies) > 1 or rules[0] not in RULES:",
        "tests/api/test_access.py::test_rule_stands_beside_other_dependencies_and_extensions",
    ),
    Sabotage(
        "a route for everybody solves a dependency for nothing",
        "app/http/access.py",
        "if check.call is not _anybody]",
        "]",
        "tests/api/test_access.py::test_route_for_everybody_runs_no_check",
    ),
)
