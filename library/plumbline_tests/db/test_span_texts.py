"""What a span says of a statement: what it does to which table, and no value."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.db.redaction import WITHHELD
from plumbline.db.sql_text import LONGEST_KEPT
from plumbline.db.traced_connection import LONGEST_TEXT, _describe, describe

SECRET = "ada4711"
WHOLE = st.sampled_from(
    [
        *("id", "= $1", "LIKE", "(", ",", "::text", "4711", "1.5e3", "FROM t", "''", "'a''b'"),
        *(
            '"na me"',
            '"it\'s"',
            "E'\\''",
            "e'\\\\'",
            "$$'$$",
            "$a$ $$ $a$",
            "-- '\n",
            "/* ' */",
            "$1",
        ),
    ]
)
PIECES = st.sampled_from(["'", '"', "''", "\\", "E", "$$", "$a$", "--", "\n", "/*", "*/", " ", "x"])


@pytest.mark.parametrize(
    ("sql", "name", "text"),
    [
        (
            "SELECT id FROM books WHERE id = $1",
            "SELECT books",
            "SELECT id FROM books WHERE id = $1",
        ),
        ("select 1\n from only a.b", "SELECT a.b", "select ? from only a.b"),
        ("UPDATE t SET a = 'ada4711', b=-4711.5e3", "UPDATE t", "UPDATE t SET a = ?, b=-?"),
        ("INSERT INTO \"t 1\" VALUES ('it''s')", 'INSERT "t 1"', 'INSERT INTO "t 1" VALUES (?)'),
        ("SELECT E'a\\'ada4711' || $x$ada4711$x$", "SELECT", "SELECT ? || ?"),
        ("-- ada4711\nSELECT a1, b_2 /* ada4711 */ FROM t9", "SELECT t9", "SELECT a1, b_2 FROM t9"),
        ("BEGIN;", "BEGIN", "BEGIN;"),
        ('SELECT $12::int4, x."it\'s" FROM t', "SELECT t", 'SELECT $12::int4, x."it\'s" FROM t'),
        ("SELECT 0xADA4711, 0b101, 1.5e-10, 1_000", "SELECT", "SELECT ?, ?, ?, ?"),
        ("SELECT 'ada4711", "SQL", WITHHELD),
        ("SELECT $q$ada4711", "SQL", WITHHELD),
        ("SELECT /* /* */ ' */ 'ada4711'", "SQL", WITHHELD),
        ("SELECT \"a'\", 'ada4711' FROM \"b'\"", 'SELECT "b\'"', 'SELECT "a\'", ? FROM "b\'"'),
        ("SELECT 1 /* a /* b */ ada4711 */", "SQL", WITHHELD),
        ("SELECT LIKE'a\\' AND b = 'ada4711'", "SQL", WITHHELD),
        ("", "SQL", ""),
    ],
)
def test_text_has_no_literal_and_the_name_says_what_it_does(sql: str, name: str, text: str) -> None:
    assert describe(sql) == (name, text)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(WHOLE), st.lists(PIECES), st.sampled_from(["'{}'", "E'{}'", "$q${}$q$", "'x''{}'"]))
def test_literal_is_not_told_whatever_is_around_it(
    before: list[str], after: list[str], how: str
) -> None:
    told = describe(f"{' '.join(before)} {how.format(SECRET)} {''.join(after)}")

    assert SECRET not in told.text + told.name


def test_long_text_is_cut_and_the_longest_are_not_remembered() -> None:
    before = _describe.cache_info().currsize
    told = describe("SELECT " + ", ".join(f"${n}" for n in range(LONGEST_KEPT)))

    assert len(told.text) == LONGEST_TEXT + 1
    assert _describe.cache_info().currsize == before
