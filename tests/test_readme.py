"""The README, and the links of all pages; its session is in test_development.py."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.postgres import ROOT

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", README))))
def test_make_targets_exist(target: str) -> None:
    found = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, check=False, capture_output=True
    )

    assert found.returncode == 0


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text()):
        assert (page.parent / link).exists(), link


def test_readme_is_short() -> None:
    assert README.count("\n") < 150
