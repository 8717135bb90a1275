"""docs/security.md: the tests that it names exist, and each claim has a test or a reason."""

import ast
import re
from collections import Counter
from functools import cache

from plumbline.testing import proofs
from tests.postgres import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`((?:library/plumbline_)?tests/[\w/]+\.py)::(\w+)`")
PROMISES = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)
REQUIREMENTS = re.findall(
    r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", TEXT, re.MULTILINE
)
RESULTS = dict(re.findall(r"^\| ([a-z ]+) \| [^|]+ \| (\d+) \|$", TEXT, re.MULTILINE))


@cache
def _tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    imported = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    if "plumbline.testing.proofs" in imported:
        names |= vars(proofs).keys()
    return {name for name in names if name.startswith("test_")}


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall(TEXT)

    assert len(named) == TEXT.count("::")
    assert [f"{path}::{name}" for path, name in named if name not in _tests(path)] == []


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:app|library|tests)/[\w/]+\.py)`", TEXT)

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_each_promise_names_code_and_a_test() -> None:
    assert [row[0] for row in PROMISES] == [str(number) for number in range(1, 12)]
    for number, _, code, tests in PROMISES:
        assert code.startswith(("`app/", "`library/")), number
        assert NAMED.search(tests), number


def test_every_requirement_of_the_standard_has_one_row() -> None:
    told = re.search(r"has (\d+) requirements of level 1", TEXT)
    numbers = [row[0] for row in REQUIREMENTS]

    assert told
    assert len(numbers) == int(told[1])
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) == len(re.findall(r"^\| \d+\.", TEXT, re.MULTILINE))  # none unread
    assert numbers == sorted(numbers, key=lambda number: [int(n) for n in number.split(".")])


def test_every_requirement_has_a_test_or_a_reason() -> None:
    for number, _, result, evidence in REQUIREMENTS:
        reason = NAMED.sub("", evidence).replace("<br>", "").strip(" .,:")
        assert result in RESULTS, number
        assert NAMED.search(evidence) if result == "met" else reason, number


def test_results_are_counted_right() -> None:
    counted = Counter(row[2] for row in REQUIREMENTS)

    assert {result: int(rows) for result, rows in RESULTS.items()} == counted
