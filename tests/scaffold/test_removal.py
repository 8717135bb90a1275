"""`remove resource`: what goes with a resource, and what is in the way."""

import ast
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import OperatorError
from plumbline.scaffold.edits import Source, apply
from plumbline.scaffold.names import Names
from plumbline.scaffold.project import Plan
from plumbline.scaffold.removal import give_reason, names_of, plan_removal, remove_files
from plumbline.scaffold.uses import find_uses
from tests.postgres import ROOT
from tests.scaffold.shop import APP, BOOKS, SHELVES, add_book

POSTS = Names("post", "posts")
# In other models, each with what it needs; nothing of it stays.
RELATIONSHIPS = """
    books: Mapped[list["Book"]] = relationship(viewonly=True)
    newest: Mapped["Book | None"] = relationship(
        viewonly=True,
    )
    plain = relationship("Book", viewonly=True)
"""
TYPED = "\nif TYPE_CHECKING:\n    from app.db.models.book import Book\n"
MAKERS = """

async def make_books(author: User) -> list["Book"]:
    return [await make_row(Book, author_id=author.id)]


@pytest.fixture
@pytest.mark.usefixtures("alice")
async def book(alice: User) -> "Book":
    return (await make_books(alice))[0]
"""


def _changed(plan: Plan) -> set[str]:
    return {plan.name(path) for path in plan.after if plan.after[path] != plan.before[path]}


def test_what_was_added_is_removed_to_the_letter() -> None:
    plan = Plan(ROOT)
    add_book(plan)

    for names in (BOOKS, SHELVES):
        remove_files(plan, APP, names)

    assert _changed(plan) == set()


def test_what_leads_to_it_goes_with_it() -> None:
    plan, user, people = Plan(ROOT), ROOT / "app/db/models/user.py", ROOT / "tests/people.py"
    add_book(plan)
    typed = plan.text(user).replace("\nif TYPE_CHECKING:\n", TYPED, 1)
    plan.write(user, typed.replace("\n    @validates", f"{RELATIONSHIPS}\n    @validates"))
    imports = plan.text(people).replace("import AccessToken,", "import AccessToken, Book,")
    plan.write(
        people, imports.replace("\nfrom app.core", "\nimport pytest\nfrom app.core") + MAKERS
    )
    about = ROOT / f"tests/api/test_{BOOKS.many}_of_users.py"
    plan.create(about, "from tests.people import make_books\n")

    remove_files(plan, APP, BOOKS)

    assert not _changed(plan) & {"app/db/models/user.py", "tests/people.py"}
    assert not plan.has(about)


def test_migration_says_why_its_tables_may_go(tmp_path: Path) -> None:
    script = tmp_path / "app/db/migrations/versions/2026_11_26_remove_books.py"
    made = 'depends_on = None\n\n\ndef upgrade() -> None:\n    op.drop_table("book_shelves")\n'
    made += '    op.drop_table("books")\n\n\ndef downgrade() -> None:\n    op.drop_table("old")\n'
    plan = Plan(tmp_path)
    plan.write(script, made)

    give_reason(plan, BOOKS)

    told: dict[str, Any] = {}
    exec(plan.text(script), told)
    assert told["SAFE"].keys() == {"drop-table book_shelves", "drop-table books"}
    assert set(told["SAFE"].values()) == {"`remove resource book` took what reads it"}


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ("x = (a, b)", 0, "x = (b,)"),
        ("x = (a, b)", 1, "x = (a,)"),
        ("x = (\n    a,\n    b,\n)", 1, "x = (\n    a,\n)"),
        ("x = (a,)", 0, "x = ()"),
        ("x = [\n    a,\n    b,\n    c,\n]", 0, "x = [\n    b,\n    c\n]"),
        ("x = [a, b, c]  # d", 2, "x = [a, b]  # d"),
    ],
)
def test_tuple_of_one_stays_a_tuple(text: str, gone: int, left: str) -> None:
    """And the comma goes for which ruff would keep a line for each of the others."""
    source = Source(text)
    (line,) = source.tree.body
    assert isinstance(line, ast.Assign)
    assert isinstance(line.value, ast.List | ast.Tuple)

    changed = apply(text, source.without(line.value.elts, line.value.elts[gone]))

    assert changed == left
    ast.parse(changed)


@pytest.mark.parametrize(
    ("file", "text", "is_use"),
    [
        ("app/services/other.py", "from app.services import books", True),
        ("app/services/other.py", "from app.services.books import get_book", True),
        ("app/db/models/other.py", 'key = ForeignKey("books.id")', True),
        ("app/db/models/other.py", 'books = "books"', False),
        ("app/api/other.py", "from app.db.models import Bookmark", False),
        ("tests/api/test_other.py", "from app.db.models import User, Book", True),
        ("tests/api/test_other.py", "from tests.people import make_book", True),
        ("tests/api/test_other.py", "from json import make_book", False),
        ("tests/api/test_other.py", "def test_it(book): ...", True),
        ("tests/api/test_other.py", "def test_it(*, book: int): ...", True),
        ("tests/api/test_other.py", '@pytest.mark.usefixtures("book")\ndef test_it(): ...', True),
        ("tests/api/test_other.py", 'path = f"/api/v1/{many}/{1}"', True),
        ("tests/api/test_other.py", 'path = "/api/v1/bookshops"', False),
        ("tests/api/test_other.py", 'text = "books, and Book"', False),
    ],
)
def test_use_is_found(tmp_path: Path, file: str, text: str, *, is_use: bool) -> None:
    plan = Plan(tmp_path)
    plan.write(tmp_path / file, text.replace("{many}", "books"))
    project = type(APP)(tmp_path, "app")

    found = [*find_uses(plan, project, BOOKS, {"book", "make_book"})]

    assert [place.partition(":")[0] for place in found] == [file] * is_use


def _places(names: Names) -> set[str]:
    """The files that a removal says are in the way."""
    with pytest.raises(OperatorError, match=f"take {names.one} out of these places") as refused:
        plan_removal(APP, names)
    places = str(refused.value).partition("first: ")[2].split("; ")
    return {place.partition(":")[0] for place in places}


def test_resource_that_others_use_is_not_removed() -> None:
    files = _places(Names("user", "users"))

    assert {"app/services/posts.py", "app/db/models/post.py", "app/cli/accounts.py"} <= files
    assert not files & {"app/main.py", "app/db/models/__init__.py"}


def test_nothing_but_tests_is_in_the_way_of_posts() -> None:
    """Those try other things on posts; tests/test_without_posts.py takes them out."""
    files = _places(POSTS)

    assert {"tests/api/test_holding.py", "tests/db/test_growth.py", "tests/speed.py"} <= files
    assert {name for name in files if not name.startswith("tests/")} == set()


def test_resource_is_found_by_each_of_its_names() -> None:
    assert names_of(APP, "post", None) == names_of(APP, "posts", None) == POSTS
