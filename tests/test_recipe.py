"""CONTRIBUTING's recipe "Add a resource", followed in a copy: what it says is enough.

tests/recipe/ has the files that somebody writes who follows it.
"""

import re
import subprocess
from pathlib import Path

import pytest

from plumbline_tests.sources import change
from tests.copies import copy_project, draw_tables_in, run_in, run_tests_in
from tests.postgres import ROOT

FILES = ROOT / "tests/recipe"
WRITTEN = sorted(str(path.relative_to(FILES)).removesuffix(".txt") for path in FILES.rglob("*.txt"))
RECIPE = re.search(
    r"^## Add a resource\n(.*?)^## ",
    (ROOT / "CONTRIBUTING.md").read_text(),
    re.DOTALL | re.MULTILINE,
)
ABOUT_THE_RESOURCE = "tag or page_of_the_tables or agree or every_ or document or names_of"


def test_recipe_names_the_files_that_are_written() -> None:
    assert RECIPE is not None
    named = re.findall(r"`((?:app|tests)/[\w/]*tags?\.py)`", RECIPE[1])

    assert sorted(named) == WRITTEN


def test_code_is_formatted_before_the_linter_refuses_long_lines() -> None:
    """Else `make fix` ends at the first line that only the formatter would break."""
    told = subprocess.run(
        ["make", "--dry-run", "fix"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout

    assert told.index("ruff format") < told.index("ruff check --fix") < told.rindex("ruff format")


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """Steps 1 to 6."""
    copy = copy_project(tmp_path)
    for name in WRITTEN:
        (copy / name).write_text((FILES / f"{name}.txt").read_text())
    models, user = copy / "app/db/models/__init__.py", "from app.db.models.user import User\n"
    change(models, user, f"from app.db.models.tag import Tag\n{user}")
    change(models, '    "Post",\n', '    "Post",\n    "Tag",\n')
    assert run_in(copy, "-m", "app.cli", "db", "revision", "add tags").returncode == 0
    draw_tables_in(copy)
    change(copy / "app/main.py", "index, posts, users", "index, posts, tags, users")
    change(copy / "app/main.py", "(posts, users, auth,", "(posts, users, tags, auth,")
    return copy


def _tell_whose_it_is(service: Path) -> None:
    change(service, "import AccessToken, User", "import AccessToken, Tag, User")
    begin = "    async with AsyncSessionFactory.begin() as db:\n        await _end"
    add = '        db.add(tag := Tag(name="blue", author_id=people["owner"].id))\n'
    change(service, begin, begin.replace("        await", f"{add}        await"))
    change(service, '"post_id": post.id,', '"post_id": post.id, "tag_id": tag.id,')


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_recipe_is_enough(grown: Path) -> None:
    about = (
        "tests/test_proofs.py",
        "tests/api",
        "tests/http/test_methods.py",
        "tests/test_project.py",
    )
    unsaid = run_tests_in(grown, "-q", "tests/test_proofs.py", "-k", "tag and owner and holds")
    _tell_whose_it_is(grown / "tests/service.py")
    tested = run_tests_in(grown, "-q", *about, "-k", ABOUT_THE_RESOURCE)

    assert "(give tag_id in World.path_params)" in unsaid.stdout
    assert tested.returncode == 0, tested.stdout[-3000:]
