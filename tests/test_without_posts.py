"""A team removes Post: the proofs of the library stay green, and so do the service's others.

What is removed is all that names a post: the model, what serves it, and the tests about it. Pages
and sabotages of this project name those tests, so what holds the pages goes with them.
"""

import os
import re
from pathlib import Path

import pytest

from plumbline_tests.processes import python_in
from plumbline_tests.sources import change
from tests.copies import copy_project, path_of, run_tests_in

REMOVED = ("app/db/models/post.py", "app/services/posts.py", "app/api/posts.py")
# Lines of the service that name a post, and what is left of them.
CHANGES = (
    ("app/main.py", "auth, index, posts, users", "auth, index, users"),
    ("app/main.py", "(posts, users, auth,", "(users, auth,"),
    ("app/db/models/__init__.py", "from app.db.models.post import Post\n", ""),
    ("app/db/models/__init__.py", '    "Post",\n', ""),
    ("app/services/users.py", "KnownNetwork, Post, User", "KnownNetwork, User"),
    ("app/services/users.py", 'detail = f"{posts} posts, e-mail', 'detail = f"e-mail'),
    ("app/services/users.py", "return posts or 0", "return 0"),
    ("app/api/users.py", "from app.api.posts import PostPage\n", ""),
    ("app/api/users.py", "from app.services.posts import PostRead\n", ""),
    ("app/api/users.py", "from app.services import posts, users", "from app.services import users"),
    ("app/cli/commands.py", "/api/v1/posts", "/api/v1/users"),
    ("tests/people.py", "AccessToken, Post, User", "AccessToken, User"),
    ("tests/conftest.py", "import Post, User", "import User"),
    ("tests/conftest.py", "import make_post, make_user", "import make_user"),
    ("tests/service.py", "ROWS, make_post, make_users", "ROWS, make_users"),
    ("tests/service.py", '    post = await make_post(people["owner"])\n', ""),
    ("tests/service.py", '"post_id": post.id, ', ""),
)
# From the first of the two to before the second, or to the end.
BLOCKS = (
    ("app/db/models/user.py", "    posts: Mapped[", "    @validates"),
    ("app/db/models/user.py", "if TYPE_CHECKING:", "class User("),
    ("app/services/users.py", "    posts = await db.scalar(", "    address = audit"),
    ("app/api/users.py", '@router.get(\n    "/{user_id}/posts"', ""),
    ("tests/people.py", "async def make_post(", ""),
    ("tests/conftest.py", "@pytest.fixture\nasync def post(", ""),
)
NAMES_A_POST = re.compile(r"\bposts\b|\b_?Post\b|\bmake_post\b|\bpost: |/posts")
ABOUT_PAGES = {
    "test_claims.py", "test_page.py", "test_readme.py", "test_sabotage.py",
    "test_security_page.py", "test_project.py", "test_without_posts.py", "test_new_table.py",
    "test_words.py", "test_quick.py",
}  # fmt: skip
# Without their posts; the example of test_adopt.py has posts of its own.
KEPT = {"conftest.py", "people.py", "quick.py", "service.py", "test_adopt.py"}


def _remove_block(file: Path, first: str, after: str) -> None:
    text = file.read_text()
    start = text.index(first)
    file.write_text(text[:start] + (text[text.index(after, start) :] if after else ""))


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
    """A copy of the project in which there are no posts, with the migration that says so."""
    copy = copy_project(tmp_path_factory.mktemp("project"))
    for file in REMOVED:
        (copy / file).unlink()
    for file, old, new in CHANGES:
        change(copy / file, old, new)
    for file, first, after in BLOCKS:
        _remove_block(copy / file, first, after)
    _remove_tests_of_posts(copy / "tests")
    environment = os.environ | {"PYTHONPATH": path_of(copy)}
    written = python_in(copy, "-m", "app.cli", "db", "revision", "remove posts", **environment)
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
