"""A team removes Post: the proofs of the library stay green, and so do the service's others.

Tests of this project that name a post go first, and what holds the pages that name those tests;
`app remove resource post` does the rest. A project that `plumbline new` makes has no such tests.
"""

import os
import re
from pathlib import Path

import pytest

from plumbline_tests.processes import python_in
from tests.copies import copy_project, path_of, run_tests_in

NAMES_A_POST = re.compile(r"\bposts\b|\b_?Post\b|\bmake_post\b|\bpost: |/posts")
ABOUT_PAGES = {
    "test_claims.py", "test_page.py", "test_readme.py", "test_sabotage.py",
    "test_security_page.py", "test_project.py", "test_without_posts.py", "test_new_table.py",
    "test_words.py", "test_quick.py",
}  # fmt: skip
# Without their posts; the example of test_adopt.py has posts of its own.
KEPT = {"conftest.py", "people.py", "quick.py", "service.py", "test_adopt.py"}


def _remove_tests_of_posts(tests: Path) -> None:
    """Those that name a post, and those that import one of them."""
    files = {file: file.read_text() for file in tests.rglob("*.py") if file.name not in KEPT}
    gone = {
        file for file, text in files.items() if NAMES_A_POST.search(text)
    } | {file for file in files if file.name in ABOUT_PAGES}  # fmt: skip
    found = gone
    while found:
        modules = {".".join(file.relative_to(tests.parent).with_suffix("").parts) for file in found}
        imports = re.compile(rf"^from ({'|'.join(map(re.escape, modules))}) import", re.MULTILINE)
        found = {file for file, text in files.items() if imports.search(text)} - gone
        gone |= found
    for file in gone:
        file.unlink()


@pytest.fixture(scope="module")
def without_posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project from which the command took the posts."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    _remove_tests_of_posts(copy / "tests")
    environment = os.environ | {"PYTHONPATH": path_of(copy)}
    written = python_in(copy, "-m", "app.cli", "remove", "resource", "post", **environment)
    assert written.returncode == 0, written.stderr
    return copy


@pytest.mark.torture
def test_proofs_need_no_posts(without_posts: Path) -> None:
    """All are collected, so none imports what is gone; and those of sessions hold.

    That the others hold as well follows from what import-linter says of `plumbline_tests`, and
    the large run looks.
    """
    tested = run_tests_in(without_posts, "-q", "-n0", "-k", "test_session.py")

    assert tested.returncode == 0, tested.stdout[-3000:]
    assert re.search(r"\n[1-9]\d* passed, \d{4} deselected", tested.stdout), tested.stdout[-200:]


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_all_that_is_left_passes_without_posts(without_posts: Path) -> None:
    tested = run_tests_in(without_posts, "-q")

    assert tested.returncode == 0, tested.stdout[-3000:]
