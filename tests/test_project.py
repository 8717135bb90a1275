"""Rules of the project that no tool checks."""

import ast
import base64
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from app.core.config import Settings
from app.db.base import Base
from app.services import tokens
from plumbline.db.diagram import draw_tables
from tests.adr_index import write_index
from tests.people import PASSWORDS, refuse_secrets
from tests.postgres import ROOT

APP_FILES, TEST_FILES = (
    sorted(file for part in parts for file in (ROOT / part).rglob("*.py"))
    for parts in (("app", "library/plumbline"), ("tests", "library/plumbline_tests"))
)
PYTHON_FILES = APP_FILES + TEST_FILES


def _env_example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_env_example_lists_every_setting_with_its_default_and_meaning() -> None:
    text = (ROOT / ".env.example").read_text()

    for name, field in Settings.model_fields.items():
        assert f"# {field.description}\n{name}={_written(field.default)}\n" in text


def test_env_example_lists_nothing_else() -> None:
    assert _env_example().keys() == Settings.model_fields.keys()


def _written(value: object) -> str:
    assert value is not PydanticUndefined
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_files_are_short_enough_to_read() -> None:
    assert len(PYTHON_FILES) > 100
    assert [str(file) for file in PYTHON_FILES if file.read_text().count("\n") > 300] == []


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for file in APP_FILES
        if "versions" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )

    assert lengths[-1] <= 50
    assert lengths[len(lengths) * 9 // 10] <= 25
    assert lengths[len(lengths) // 2] <= 12


SEED = ("main", "core/config", "db/session", "db/base", "db/init_db")


def test_files_of_the_seed_are_a_page_each() -> None:
    models = (path.stem for path in (ROOT / "app/db/models").glob("*.py"))
    names = [*SEED, *(f"db/models/{name}" for name in models)]
    lines = {name: (ROOT / f"app/{name}.py").read_text().count("\n") for name in names}

    assert {name: count for name, count in lines.items() if count > 60} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = re.compile("util|helper|common|manager|repositor|crud")

    assert [file.name for file in APP_FILES if vague.search(file.stem)] == []


@pytest.mark.parametrize(
    "decision", sorted((ROOT / "docs/adr").glob("0*.md")), ids=lambda d: d.stem
)
def test_decisions_are_short_and_name_tests_that_exist(decision: Path) -> None:
    text = decision.read_text()

    assert text.count("\n") <= 40
    for heading in ("**Context.**", "**Decision", "**Enforced by**"):
        assert heading in text
    for named in re.findall(r"(?:library/plumbline_)?tests/[\w/]+\.py", text):
        assert (ROOT / named).exists()


def test_index_lists_every_decision_with_its_status() -> None:
    """If not: python -m tests.adr_index > docs/adr/README.md."""
    assert (ROOT / "docs/adr/README.md").read_text() == write_index()


def test_page_of_the_tables_is_up_to_date() -> None:
    """If not: put what `app db draw` prints into docs/schema.md."""
    assert f"```mermaid\n{draw_tables(Base.metadata)}\n```" in (ROOT / "docs/schema.md").read_text()


def test_no_test_is_skipped() -> None:
    skipping = re.compile(r"mark\.(skip|xfail)|pytest\.(skip|importorskip)\(")

    assert [
        f.name for f in PYTHON_FILES if skipping.search(f.read_text()) and f != Path(__file__)
    ] == []


@pytest.mark.parametrize("secret", [*PASSWORDS, "plumb_" + "x" * 43])
def test_guard_that_every_test_passes_sees_a_secret(secret: str) -> None:
    with pytest.raises(AssertionError, match="a secret leaked"):
        refuse_secrets(f"before {secret} after")


def test_token_has_256_random_bits() -> None:
    made = {tokens.new_token() for _ in range(1000)}

    assert len(made) == 1000
    assert {len(base64.urlsafe_b64decode(token[6:] + "=")) for token in made} == {32}
