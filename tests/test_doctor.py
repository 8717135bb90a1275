"""The doctor on this project and its examples, and the page that lists the rules."""

import shutil
import sys
from pathlib import Path

import pytest

from app.db.schema import migrations
from plumbline.cli.examining import libpq_url
from plumbline.doctor.catalogue import ALL_RULES
from plumbline.doctor.configuration import Configuration, read_configuration
from plumbline.doctor.diagnosis import diagnose
from plumbline.doctor.inside.metadata import describe
from plumbline.doctor.live import examination as live
from plumbline.doctor.rules import RULES
from plumbline.doctor.run import examination as run
from tests import doctor_live_page, doctor_page
from tests.postgres import ROOT


def test_doctor_finds_nothing_in_this_project() -> None:
    found = diagnose(ROOT, RULES, read_configuration(ROOT, ALL_RULES))

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


def test_doctor_finds_nothing_in_the_database_of_this_service(main_database: str) -> None:
    models = describe(migrations.metadata)["tables"]
    configuration = read_configuration(ROOT, ALL_RULES)
    found = live.examine(libpq_url(main_database), configuration, models=models)

    # What is true of every PostgreSQL that runs for tests: it is fast, and need not last.
    assert {each.code for each in found.findings if each.path == "server"} <= {"PL711"}
    assert [each for each in found.findings if each.path != "server"] == []


def test_doctor_finds_nothing_in_the_application_of_this_service() -> None:
    found = run.examine(ROOT, "app.main:app", read_configuration(ROOT, ALL_RULES))

    assert [f"{each.path}:{each.place.line} {each.code}" for each in found.findings] == []
    assert found.looked_at == "app.main:app with 24 routes"


@pytest.mark.torture
@pytest.mark.parametrize(
    ("folder", "codes"), [("before", {"PL001", "PL104"}), ("after", set())], ids=["before", "after"]
)
def test_doctor_finds_the_fault_of_the_example_when_it_is_imported(
    folder: str, codes: set[str], tmp_path: Path
) -> None:
    example = shutil.copytree(ROOT / "examples/adopt" / folder, tmp_path / folder)
    found = run.examine(example, "main:app", Configuration(), python=sys.executable)

    assert {each.code for each in found.findings} == codes


def test_page_lists_every_rule() -> None:
    """If not: python -m tests.doctor_page > library/docs/doctor_rules.md."""
    assert (ROOT / "library/docs/doctor_rules.md").read_text() == doctor_page.write_page()


def test_page_of_what_runs_lists_every_rule() -> None:
    """If not: python -m tests.doctor_live_page > library/docs/doctor_live.md."""
    page = (ROOT / "library/docs/doctor_live.md").read_text()

    assert page == doctor_live_page.write_page()
