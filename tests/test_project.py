"""Rules of the project that no tool checks."""

from pydantic_core import PydanticUndefined

from app.core.config import Settings
from tests.postgres import ROOT

APP_FILES = sorted((ROOT / "app").rglob("*.py"))
PYTHON_FILES = sorted({*APP_FILES, *(ROOT / "tests").rglob("*.py")})


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
