"""Promises about names, passwords and the audit, broken on purpose."""

from tests.sabotage import Sabotage

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "passwords are counted as typed",
        "app/core/text.py",
        'return unicodedata.normalize("NFC", value)',
        "return value",
        "tests/api/test_passwords.py",
    ),
    Sabotage(
        "the service's name, a season and a year are a password",
        "app/core/security.py",
        "without_known_words(_canonical(password))",
        "_canonical(password)",
        "tests/api/test_passwords.py::test_password_that_is_short_long_or_common_is_refused",
    ),
    Sabotage(
        "disguised words are not known",
        "app/core/known_words.py",
        "if letter in _LOOK_ALIKES else letter",
        "if letter in () else letter",
        "tests/api/test_passwords.py::test_password_that_is_short_long_or_common_is_refused",
    ),
    Sabotage(
        "fillers of Hangul are not ignored",
        "app/core/text.py",
        r"\u2060-\u206f\u3164\ufe00",
        r"\u2060-\u206f\ufe00",
        "tests/core/test_invisible.py::test_what_is_ignored_is_what_unicode_ignores",
    ),
    Sabotage(
        "what is not seen stays in a name",
        "app/core/text.py",
        'unicodedata.normalize("NFKC", _IGNORABLES.sub("", text)).casefold()',
        'unicodedata.normalize("NFKC", text).casefold()',
        "tests/core/test_invisible.py::test_name_with_something_unseen_is_the_name_without",
    ),
    Sabotage(
        "a title of nothing that is seen",
        "app/core/text.py",
        "if not _VISIBLE.search(text):",
        "if not text.strip():",
        "tests/core/test_invisible.py::test_nobody_and_nothing_is_called_by_what_is_not_seen",
    ),
    Sabotage(
        "blanks in an e-mail",
        "app/core/text.py",
        "if not folded or _HAS_BLANK.search(folded):",
        "if not folded:",
        "tests/core/test_invisible.py::test_what_is_blank_but_not_ignorable_is_refused_in_names",
    ),
    Sabotage(
        "marks may stand alone",
        "app/core/text.py",
        '_WRONG_MARKS = re.compile("(?<![Lnc])[nc]|n{5}")',
        '_WRONG_MARKS = re.compile("n{5}")',
        "tests/core/test_invisible.py"
        "::test_mark_without_a_letter_and_marks_without_end_are_refused",
    ),
    Sabotage(
        "a second dot makes a second name",
        "app/core/text.py",
        '_SECOND_DOT.sub("", unicodedata.normalize("NFKC", text))',
        'unicodedata.normalize("NFKC", text)',
        "tests/core/test_invisible.py::test_second_dot_on_a_letter_makes_no_second_name",
    ),
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
