"""The doctor on this project and its examples, and the page that lists the rules."""

from pathlib import Path

import pytest

from plumbline.doctor.configuration import Configuration, read_configuration
from plumbline.doctor.diagnosis import diagnose
from plumbline.doctor.rules import RULES
from tests.doctor_page import write_page
from tests.postgres import ROOT


def test_doctor_finds_nothing_in_this_project() -> None:
    found = diagnose(ROOT, RULES, read_configuration(ROOT, RULES))

    assert found.unread == []
    assert [f"{each.path}:{each.place.line} {each.code}" for each in found.findings] == []


@pytest.mark.parametrize(
    ("folder", "codes"), [("before", {"PL001", "PL104"}), ("after", set())], ids=["before", "after"]
)
def test_doctor_finds_the_fault_of_the_example_until_the_library_is_there(
    folder: str, codes: set[str]
) -> None:
    example: Path = ROOT / "examples/adopt" / folder

    assert {each.code for each in diagnose(example, RULES, Configuration()).findings} == codes


def test_page_lists_every_rule() -> None:
    """If not: python -m tests.doctor_page > library/docs/doctor_rules.md."""
    assert (ROOT / "library/docs/doctor_rules.md").read_text() == write_page()
