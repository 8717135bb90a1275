"""docs/pitfalls.md: what it names exists, what it links to is there."""

import ast
import re

from plumbline_tests.pitfalls.tutorial import PAGE
from tests.postgres import ROOT

TEXT = PAGE.read_text()
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
HEADINGS = re.findall(r"^## (.+)$", PROSE, re.MULTILINE)
SECTIONS = dict(zip(HEADINGS, re.split(r"^## .+$", TEXT, flags=re.MULTILINE)[1:], strict=True))


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:library/plumbline_)?tests/[\w/]+\.py)::(\w+)`", TEXT)

    assert [name for path, name in named if name not in _functions(path)] == []


def test_every_section_says_what_holds_it_and_which_test_proves_it() -> None:
    parts = ("**Cause.**", "**Fix.**", "**Here.**", "**Proof.**", "::test_")

    assert [
        heading for heading, body in SECTIONS.items() if not all(part in body for part in parts)
    ] == []


def test_table_leads_to_every_section() -> None:
    linked = set(re.findall(r"\(#([\w-]+)\)", PROSE))

    assert linked == {_anchor(heading) for heading in HEADINGS}


def test_every_test_of_these_folders_is_named() -> None:
    found = {
        (f"{folder}/{path.name}", name)
        for folder in ("tests/pitfalls", "library/plumbline_tests/pitfalls")
        for path in (ROOT / folder).glob("test_*.py")
        if path.name != "test_page.py"
        for name in _functions(f"{folder}/{path.name}")
        if name.startswith("test_")
    }
    named = set(re.findall(r"`([\w/]*tests/pitfalls/\w+\.py)::(\w+)`", TEXT))

    assert found - named == set()
