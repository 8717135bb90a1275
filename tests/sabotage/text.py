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
)
