"""The words of pages and docstrings: plain ones, terms that are explained, files that are there."""

import re
from pathlib import Path

import pytest

from tests.postgres import ROOT
from tests.test_claims import CODE, PAGES

GLOSSARY = ROOT / "docs/glossary.md"
# Old or oblique: "again", "correct", "costly", and naming who or what is meant, say the same.
NOT_PLAIN = re.compile(r"\b(?:anew|mend(?:s|ed)?|dear|whoever|without a word)\b", re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_is_in_plain_words(page: Path) -> None:
    assert NOT_PLAIN.findall(page.read_text()) == []


def test_docstrings_are_in_plain_words() -> None:
    found = {str(path): NOT_PLAIN.findall(text) for path, text in CODE.items()}

    assert {path: words for path, words in found.items() if words} == {}


def test_files_that_comments_name_are_there() -> None:
    there = {f"/{path.relative_to(ROOT)}" for path in CODE}
    named = {
        name
        for text in CODE.values()
        for name in re.findall(r"(?<![\w{*/.])((?:[a-z_]+/)*[a-z_]+\.py)\b", text)
        if not (ROOT / name).exists() and name != "conftest.py"  # that of any service
    }

    assert [name for name in named if not any(one.endswith(f"/{name}") for one in there)] == []


def test_glossary_is_sorted_and_explains_terms_that_are_in_use() -> None:
    terms = re.findall(r"^- \*\*(.+?)\*\*:", GLOSSARY.read_text(), re.MULTILINE)
    pages = [page.read_text() for page in PAGES if page != GLOSSARY]
    text = " ".join([*CODE.values(), *pages]).lower()

    assert terms == sorted(terms, key=str.lower)
    assert [each for each in terms if each.split()[0].lower() not in text] == []
