"""The commands on this service: what they write, what they take away, what stays."""

import subprocess
from pathlib import Path

import pytest

from plumbline.errors import OperatorError
from plumbline.scaffold.additions import change_files
from plumbline.scaffold.defaults import default_in_python
from plumbline.scaffold.fields import parse_fields
from plumbline.scaffold.names import Names
from plumbline.scaffold.project import Plan
from plumbline.scaffold.resource import Resource, add_files
from plumbline.scaffold.running import add_migration
from plumbline.scaffold.written import write_field
from tests.copies import copy_project, run_in, run_tests_in
from tests.postgres import ROOT
from tests.scaffold.shop import APP, BOOK, SHELF, add_book

POSTS = Names("post", "posts")
MORE = (
    "subtitle:str(200)?:index editor:user? pages:int:default(0) is_new:bool:default(true) "
    "rank:decimal(5,2):default(1.5):index due:date:default(2026-01-31) "
    "mood:enum(a,b c):default(b c)"
)
MOST_LINES = 185  # model, service and API of the book: nine fields, the rule and a many-to-many


def test_resource_of_ten_fields_is_short() -> None:
    """`python -m tests.scaffold.lines` prints the table of the page."""
    plan = Plan(ROOT)
    add_book(plan)

    written = [f"app/db/models/{'book'}.py", "app/services/books.py", "app/api/books.py"]
    texts = [plan.text(ROOT / name) for name in written]

    assert sum(text.count("\n") for text in texts) <= MOST_LINES
    assert max(len(line) for text in texts for line in text.splitlines()) <= 100


def test_model_that_is_called_as_a_test_is_not_taken_for_one() -> None:
    """Pytest collects what a file of tests calls `Test…`."""
    plan, case = Plan(ROOT), Names("test_case", "test_cases")
    add_files(plan, APP, Resource(case, parse_fields(["name:text"]), "public", None))
    fields = parse_fields(["case:test_case"])
    add_files(plan, APP, Resource(Names("trial", "trials"), fields, "public", None))

    texts = [plan.text(ROOT / f"tests/api/test_{name}.py") for name in ("test_cases", "trials")]

    assert all("import TestCase as _TestCase" in text for text in texts)
    assert all("(_TestCase)" in text for text in texts)


def test_decimal_without_whole_digits_says_its_bounds() -> None:
    """Those that do not look at digits, such as the proofs, see them in the document."""
    (ratio, price) = parse_fields(["ratio:decimal(3,3)? price:decimal(10,2)"])

    asked = [write_field(each, "book", None, is_owner=False).in_request for each in (ratio, price)]

    assert "decimal_places=3, gt=-1, lt=1)" in asked[0]
    assert "gt=" not in asked[1]


@pytest.mark.parametrize(
    ("kind", "typed", "written"),
    [
        ("decimal", "0.50", 'Decimal("0.50")'),
        ("decimal", "-012", "Decimal(-12)"),
        ("int", "-7", "-7"),
        ("float", "0.5", "0.5"),
        ("bool", "false", "False"),
        ("date", "2026-01-31", "date(2026, 1, 31)"),
        ("text", "", '""'),
    ],
)
def test_default_is_written_as_ruff_wants_it(kind: str, typed: str, written: str) -> None:
    assert default_in_python(kind, typed) == written


def test_failure_of_the_migration_leaves_the_tree_as_it_was() -> None:
    plan = Plan(ROOT)
    plan.create(ROOT / "app/db/models/broken.py", "")
    plan.write(ROOT / "app/db/models/__init__.py", "import app.db.models.is_not_there\n")
    before = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT)

    with pytest.raises(OperatorError, match="nothing was written, since the import of the service"):
        add_migration(plan, APP, "broken")

    assert subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT) == before


def test_field_is_added_to_a_model_that_people_wrote() -> None:
    plan = Plan(ROOT)
    fields = parse_fields(["subtitle:str(200)?:index kind:enum(a,b)? editor:user? score:int?"])

    with pytest.raises(OperatorError, match=r"posts\.py has no class PostRead"):
        change_files(plan, APP, POSTS, fields)  # that one is in the service

    assert '"author_id", "id"), Index(None, "subtitle", "id")' in plan.text(
        ROOT / "app/db/models/post.py"
    )


def test_fields_are_added_to_what_was_written() -> None:
    plan = Plan(ROOT)
    add_book(plan)

    change_files(
        plan,
        APP,
        Names("book", "books"),
        parse_fields(["kind:enum(a,b c):default(b c) at:date?:index"]),
    )

    model, api = plan.text(ROOT / "app/db/models/book.py"), plan.text(ROOT / "app/api/books.py")
    assert 'BookKind = Literal["a", "b c"]' in model
    assert 'name="book_kind"), server_default="b c"' in " ".join(model.split())
    assert 'Index(None, "author_id", "id"), Index(None, "at", "id")' in " ".join(model.split())
    assert '    kind: BookKind = "b c"\n    at: date | None = None\n' in api
    assert "    kind: BookKind\n    at: date | None\n    version: int\n" in api
    assert "BOOKS = Listing(" in api
    assert "Book.isbn, Book.at" in " ".join(api.split())


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("subtitle:str(200)", r"give them a :default\(VALUE\), or write subtitle:str\(200\)\? and"),
        ("title:text?", "a post has title already"),
        ("readers:many(user)", "by hand"),
    ],
)
def test_field_that_would_not_fit_the_rows_is_refused(field: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        change_files(Plan(ROOT), APP, POSTS, parse_fields([field]))


def _tree(folder: Path) -> dict[str, str]:
    files = [
        *folder.rglob("app/**/*.py"),
        *folder.rglob("tests/**/*.py"),
        folder / "docs/schema.md",
    ]
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in files
        if "versions" not in file.parts
    }


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_what_was_added_is_removed_again(tmp_path: Path) -> None:
    """With both commands, which are one; the migrations go up and down with rows in the tables."""
    copy = copy_project(tmp_path)
    before = _tree(copy)
    app, plumbline = ("-m", "app.cli"), ("-c", "from plumbline.cli.command import main; main()")
    for command in (
        (*app, "add", "resource", "shelf", SHELF, "--public"),
        (*plumbline, "add", "resource", "book", BOOK, "--owner", "author"),
        (*app, "add", "field", "book", MORE),
    ):
        tried = run_in(copy, *command, "--dry-run")
        done = run_in(copy, *command)
        assert done.returncode == 0, done.stderr
        assert len(tried.stdout) > 100
    tested = run_tests_in(copy, "-q", "tests/test_proofs.py", "-k", "revision or agree or book")
    for name in ("book", "shelves"):
        done = run_in(copy, *app, "remove", "resource", name)
        assert done.returncode == 0, done.stderr
    assert tested.returncode == 0, tested.stdout[-3000:]
    tested = run_tests_in(copy, "-q", "tests/test_proofs.py", "-k", "revision or agree")

    assert tested.returncode == 0, tested.stdout[-3000:]
    assert _tree(copy) == before
