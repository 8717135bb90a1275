"""What cannot be is told in one line, before anything is written."""

from pathlib import Path

import pytest

from plumbline.errors import OperatorError
from plumbline.scaffold.fields import parse_fields
from plumbline.scaffold.names import Names, check_field, plural_of
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.registrations import register
from plumbline.scaffold.resource import Resource, add_files
from tests.postgres import ROOT


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("title", "write NAME:TYPE"),
        ("title:str", "say how long"),
        ("title:str(0)", "the length is a number"),
        ("title:str(a)", "the length is a number"),
        ("title:str(20):uniqe", "write :unique, :index or :default"),
        ("title:int(4)", "int takes nothing in brackets"),
        ("price:decimal(10)", "decimal takes 2 arguments"),
        ("price:decimal(2,3)", "no more places"),
        ("status:enum(a,a)", "stands there twice"),
        ("status:enum(a,'b')", "is no value of an enum"),
        ("status:enum(a)[]", "no arrays of enum"),
        ("details:json:index", "json takes no :index"),
        ("content:text:unique", "text cannot be unique"),
        ("tags:str[]:index", r"str\[\] takes no :index"),
        ("isbn:str(13):unique:index", "since it is unique"),
        ("isbn:str(3000):unique", "at most 2000"),
        ("shelves:many(shelf)?", "takes no marks"),
        ("pages:int:default(x)", "a number as 0"),
        ("pages:int:default(007)", "a number as 0"),
        ("pages:int?:default(0)", "for a field that is required"),
        ("sizes:int[]:default(0)", "for a field that is required"),
        ("isbn:str(9):unique:default(x)", "for a field that is required"),
        ("title:str(3):default(four)", "at most 3 characters"),
        ('title:str(9):default(")', "letters, digits"),
        ("price:decimal(4,2):default(100)", "as many digits as the field keeps"),
        ("price:decimal(4,2):default(0.125)", "as many digits as the field keeps"),
        ("status:enum(a,b):default(c)", "one of a, b"),
        ("day:date:default(2026-02-30)", "no such day"),
        ("new:bool:default(1)", "true or false"),
        ("key:uuid:default(0)", "uuid takes no :default"),
        ("author:user:default(1)", "user takes no :default"),
        ("details:json:default({})", "json takes no :default"),
    ],
)
def test_field_that_cannot_be_is_refused(field: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        parse_fields([field])


@pytest.mark.parametrize(
    "name",
    [
        *("id", "version", "created_at", "metadata", "registry", "class", "order", "model_dump_x"),
        *("json", "copy", "date", "list", "Title", "_a", "a" * 60, "mapped_column", "titel-2"),
    ],
)
def test_name_that_a_field_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(OperatorError, match=name):
        check_field(name, name, "books")


@pytest.mark.parametrize(
    ("one", "many", "said"),
    [
        ("order", "orders", "reserved word of SQL"),
        ("class", "classes", "means something in Python"),
        ("exception", "exceptions", "means something in Python"),
        ("Book", "books", "is no name"),
        ("book2", "books2", "is no name"),
        ("sheep", "sheep", "give --plural"),
        ("payload", "payloads", "uses the name `Payload` itself"),
        ("row", "rows", "uses the name `row` itself"),
        ("event", "events", "app/api/audit.py has a route list_events already"),
        ("response", "responses", "uses the name `response` itself"),
        ("post", "posts", "has Post and its table posts already"),
        ("entry", "posts", "has Post and its table posts already"),
        ("token", "access_tokens", "has AccessToken and its table"),
        ("dep", "deps", "is there already"),
        ("lock", "locks", "is there already"),
        ("a" * 20, "a" * 40, "is too long"),
    ],
)
def test_name_that_a_resource_cannot_have_is_refused(one: str, many: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        _add(Names(one, many), "title:str(9)")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("title:strr(9)", "strr takes nothing in brackets"),
        ("maker:maker", "there is no type or model maker; models are"),
        ("key:idempotency_key", "has no id that is a number"),
        ("title:str(9) title:text", "stands there twice"),
        ("above:thing", "write thing\\?"),
        ("parts:many(thing)", "make it a resource"),
        ("cursor:int:index", "a list has a parameter `cursor` itself"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: str, said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        _add(Names("thing", "things"), fields)


def _add(names: Names, fields: str) -> None:
    plan, project = Plan(ROOT), Project(ROOT, "app")
    add_files(plan, project, Resource(names, parse_fields([fields]), "public", None))


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("app/main.py", "add `app.router.routes.extend\\(things.router.routes\\)` by hand"),
        ("app/db/models/__init__.py", "__all__ to add Thing to"),
        ("tests/service.py", 'give "thing_id" in path_params'),
    ],
)
def test_file_that_was_rewritten_is_told_what_it_needs(file: str, said: str) -> None:
    plan, project = Plan(ROOT), Project(ROOT, "app")
    plan.write(ROOT / file, "import os\n")

    with pytest.raises(OperatorError, match=said):
        register(plan, project, Names("thing", "things"), None)


def test_place_of_a_registration_is_found_in_a_file_that_has_changed() -> None:
    plan, project, main = Plan(ROOT), Project(ROOT, "app"), ROOT / "app/main.py"
    changed = plan.text(main).replace(
        "(posts, users, auth, audit, index)",
        "[\n        posts,  # first: ä\n        users,\n        auth,\n    ]",
    )
    plan.write(main, changed)

    register(plan, project, Names("thing", "things"), None)

    assert "auth, things" in plan.text(main)
    assert "# first: ä" in plan.text(main)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("book", "books"), ("shelf", "shelves"), ("book_shelf", "book_shelves"), ("bus", "buses"),
        ("city", "cities"), ("day", "days"), ("child", "children"), ("analysis", "analyses"),
        ("match", "matches"), ("hero", "heroes"), ("roof", "roofs"), ("photo", "photos"),
    ],
)  # fmt: skip
def test_plural_is_that_of_most_english_nouns(one: str, many: str) -> None:
    assert plural_of(one) == many


def _tree(folder: Path) -> dict[str, tuple[str, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_text(), path.stat().st_mode) for path in files}


def _plan(folder: Path) -> Plan:
    """Two files that are new, one that changes, and one that goes."""
    for name in ("changed.py", "gone.py"):
        (folder / name).write_text(name)
    (folder / "changed.py").chmod(0o755)
    plan = Plan(folder)
    plan.create(folder / "new.py", "new")
    plan.write(folder / "changed.py", "other")
    plan.remove(folder / "gone.py")
    plan.create(folder / "last.py", "last")
    return plan


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("replace", "new.py"),
        ("replace", "changed.py"),
        ("unlink", "gone.py"),
        ("replace", "last.py"),
    ],
)
def test_failure_at_any_file_leaves_the_tree_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, name: str, error: type[Exception]
) -> None:
    plan, before = _plan(tmp_path), _tree(tmp_path)
    sound, failed = getattr(Path, method), list[Path]()

    def fail_once(self: Path, *args: Path, **options: bool) -> object:
        path = args[0] if args else self
        if path.name == name and not failed:
            failed.append(path)
            raise error
        return sound(self, *args, **options)

    monkeypatch.setattr(Path, method, fail_once)

    with pytest.raises(error):
        plan.carry_out()

    assert failed
    assert _tree(tmp_path) == before


def test_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    (tmp_path / "changed.py").write_text("by somebody else")
    before = _tree(tmp_path)

    with pytest.raises(OperatorError, match=r"changed\.py has changed meanwhile"):
        plan.carry_out()

    assert _tree(tmp_path) == before


def test_what_is_written_keeps_its_mode(tmp_path: Path) -> None:
    _plan(tmp_path).carry_out()

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"new.py": modes["last.py"], "changed.py": 0o755, "last.py": modes["last.py"]}
