"""The library's pages: their code runs, their settings exist, and the list of names is whole."""

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import plumbline
from app.core.config import Settings
from plumbline.http.commit_order import require_commit_before_response
from plumbline_tests.processes import new_python
from tests.api_page import LIBRARY, modules, write_page

DOCS = LIBRARY / "docs"
PAGES = {path.stem: path.read_text() for path in sorted(DOCS.glob("*.md"))}
# test_mounted_commands.py runs the commands; plumbline_tests/testing/ has a service that uses the
# plugin; tests/test_new_project.py runs `plumbline new`.
LISTS = {"api", "commands", "doctor_rules"}
NO_MODULES = {*LISTS, "doctor", "doctor_live", "new_project", "testing"}
WITH_CODE = sorted(PAGES.keys() - NO_MODULES)
SOURCES = sorted(path.stem for path in LIBRARY.glob("docs_src/[a-z]*.py"))


@pytest.mark.parametrize("name", SOURCES)
def test_code_of_the_pages_can_be_imported(name: str) -> None:
    made = importlib.import_module(f"docs_src.{name}")

    assert inspect.getdoc(made)
    if hasattr(made, "app"):
        require_commit_before_response(made.app)


@pytest.mark.parametrize("name", [*WITH_CODE, "readme"])
def test_code_of_a_page_is_what_was_imported(name: str) -> None:
    page = PAGES[name] if name in PAGES else (LIBRARY / "README.md").read_text()
    sources = {each: (LIBRARY / f"docs_src/{each}.py").read_text() for each in SOURCES}

    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    assert blocks
    for part in "\n".join(blocks).split("\n\n"):
        assert part.strip() in sources[name]


@pytest.mark.parametrize("name", [*WITH_CODE, *sorted(NO_MODULES - LISTS)])
def test_page_says_what_it_promises_and_needs_and_names_settings_that_exist(name: str) -> None:
    page = PAGES[name]

    assert "\n## It promises\n" in page
    assert "\n## It needs\n" in page
    named = re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page.partition("\n## Settings\n")[2])
    assert set(named) <= Settings.model_fields.keys()
    assert page.count("\n") <= 100


def test_each_page_is_in_the_readme() -> None:
    readme = (LIBRARY / "README.md").read_text()

    assert [name for name in PAGES if f"docs/{name}.md" not in readme] == []


LINKING = [LIBRARY / "README.md", LIBRARY / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.stem)
def test_links_of_the_library_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text()):
        assert (page.parent / link).exists(), link


def test_list_of_public_names_is_whole() -> None:
    """If not: python -m tests.api_page > library/docs/api.md."""
    assert PAGES["api"] == write_page()


def test_main_names_are_those_that_type_checkers_know() -> None:
    tree = ast.parse((LIBRARY / "plumbline/__init__.py").read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {
        alias.name: str(node.module)
        for node in found
        if str(node.module).startswith("plumbline.")
        for alias in node.names
    }

    assert imported == plumbline._MODULE_OF
    assert sorted([*imported, "__version__"]) == plumbline.__all__ == dir(plumbline)
    for name in plumbline.__all__:
        assert getattr(plumbline, name) is not None
    with pytest.raises(AttributeError, match="module 'plumbline' has no attribute 'creat_engine'"):
        getattr(plumbline, "creat_engine")  # noqa: B009 - mypy knows that it is not there


def test_import_of_the_library_imports_no_part() -> None:
    parts = "('sqlalchemy', 'asyncpg', 'fastapi', 'pydantic', 'alembic', 'prometheus_client')"
    path = "import sys; sys.path.append('library')"
    program = f"{path}; import plumbline; print([one for one in {parts} if one in sys.modules])"

    assert new_python("-S", "-c", program).stdout == "[]\n"


def test_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((LIBRARY / "pyproject.toml").read_text())["project"]

    assert project["version"] == plumbline.__version__
    assert f"\n## {plumbline.__version__}" in (LIBRARY / "CHANGELOG.md").read_text()


def _public(name: str) -> Iterator[tuple[str, object]]:
    """The public functions and classes of a module, and the methods that no base class has."""
    module = importlib.import_module(name)
    for key, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == name
        if key.startswith(("_", "pytest_", "test_")) or not is_own:  # pytest knows those by name
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            yield key, value
        if inspect.isclass(value):
            inherited = {each for base in value.__mro__[1:] for each in vars(base)}
            for method in vars(value).keys() - inherited:
                function = vars(value)[method]
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{key}.{method}", function


def test_public_names_have_docstrings() -> None:
    named = {name: importlib.import_module(name) for name, _ in modules()}

    assert [name for name, module in named.items() if not inspect.getdoc(module)] == []
    assert [
        f"{name}.{key}"
        for name in named
        for key, value in _public(name)
        if not getattr(value, "__doc__", None)
    ] == []
