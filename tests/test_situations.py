"""docs/situations.md: each way has a test that is there, and a page."""

import re

import pytest

from tests.postgres import ROOT

PAGE = (ROOT / "docs/situations.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "you want to" not in line
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_situation_has_a_way_that_a_test_shows(row: list[str]) -> None:
    _, way, shown = row
    path, name = shown.strip("`").split("::")

    assert f"def {name}(" in (ROOT / path).read_text()
    for link in re.findall(r"\]\((\.\./[\w/]+\.md)\)", way):
        assert (ROOT / "docs" / link).is_file()
