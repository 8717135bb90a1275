"""Each rule finds what its page shows as wrong, and nothing in what the page shows as right."""

import re
from pathlib import Path

import pytest

from plumbline.doctor.catalogue import ALL_RULES
from plumbline.doctor.registry import PAGES, Rule
from plumbline.doctor.rules import RULES
from plumbline_tests.doctor.projects import found, marked

BY_CODE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.code}-{rule.name}")


@BY_CODE
def test_wrong_example_is_found_at_its_line_and_nothing_else(rule: Rule, tmp_path: Path) -> None:
    files = rule.example("Wrong")

    assert {code for code, _, _ in marked(files)} == {rule.code}
    assert found(tmp_path, files) == marked(files)


@BY_CODE
def test_right_example_has_no_finding(rule: Rule, tmp_path: Path) -> None:
    files = rule.example("Right")

    assert files
    assert found(tmp_path, files) == []


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: f"{rule.code}-{rule.name}")
def test_page_says_what_the_rule_says(rule: Rule) -> None:
    lines = rule.page.splitlines()

    assert lines[0] == f"# {rule.code}: {rule.sentence}"
    assert lines[2] == f"Severity: {rule.severity.words}."
    headings = re.findall(r"^## (.+)$", rule.page, re.MULTILINE)
    assert headings == ["How to correct it", "Wrong", "Right"]
    assert len(lines) <= 100


def test_each_page_belongs_to_a_rule_and_codes_are_in_order() -> None:
    codes = [rule.code for rule in ALL_RULES]

    assert codes == sorted(set(codes))
    assert codes == sorted(page.stem for page in PAGES.glob("*.md"))
