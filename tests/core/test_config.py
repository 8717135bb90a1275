import os
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from app.core.config import Settings
from plumbline_tests.processes import python, python_in
from tests.postgres import ROOT

_start = partial(python, "-c", "from app.core.config import settings")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_common_spelling_of_the_url_is_accepted(scheme: str) -> None:
    settings = Settings(DATABASE_URL=f"{scheme}://me:secret@db:5433/blog")

    assert settings.DATABASE_URL == "postgresql+asyncpg://me:secret@db:5433/blog"


def test_default_url_is_the_seed_s() -> None:
    default = Settings.model_fields["DATABASE_URL"].default

    assert default == "postgresql+asyncpg://postgres:postgres@localhost:5432/app"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://me:hunter2@db/blog"),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_URL", "postgresql://me:hunter2@db:port/blog"),
        ("DATABASE_URL", "postgresql://me:hunter2@db"),
        ("DATABASE_URL", "postgresql://me:hunter2/2@db/blog"),
        ("DATABASE_URL", "postgresql://me:hunter2@[db/blog"),
        ("DATABASE_URL", "postgresql://me:hunter2@db/blog?channel_binding=require"),
        ("DATABASE_URL", "postgresql://me:hunter2@db/blog?sslmode=true"),
        ("DATABASE_URL", "postgresql+asyncpg://me:hunter2@db/blog?ssl="),
        ("DEBUG", "hunter2"),
        ("ENVIRONMENT", "hunter2"),
        ("DB_POOL_SIZE", "0"),
        ("DB_POOL_TIMEOUT_SECONDS", "-1"),
        ("ARGON2_MEMORY_KIB", "1024"),
    ],
)
def test_wrong_setting_is_one_line_that_names_it_and_hides_its_value(name: str, value: str) -> None:
    process = _start(**{name: value})

    assert process.returncode == 1
    assert process.stderr.startswith(f"{name}: ")
    assert process.stderr.count("\n") == 1
    assert "hunter2" not in process.stderr


def test_unknown_setting_in_the_env_file_is_named(tmp_path: pytest.TempPathFactory) -> None:
    file = ROOT.joinpath(str(tmp_path), "env")
    file.write_text("DATABSE_URL=postgresql://db/blog\n")

    process = _start(ENV_FILE=str(file))

    assert process.returncode == 1
    assert process.stderr == "DATABSE_URL: no such setting; did you mean DATABASE_URL?\n"


@pytest.mark.parametrize("variable", ["ENV_FILE", "SECRETS_DIR"])
def test_place_of_settings_that_is_named_must_be_there(variable: str) -> None:
    process = _start(**{variable: "/nowhere"})

    told = "/nowhere: cannot be read (No such file or directory)\n"
    assert (process.returncode, process.stderr) == (1, told)


def test_env_file_that_is_no_text_is_one_line(tmp_path: pytest.TempPathFactory) -> None:
    file = ROOT.joinpath(str(tmp_path), "env")
    file.write_bytes(b"DEBUG=\xff\n")

    process = _start(ENV_FILE=str(file))

    assert (process.returncode, process.stderr) == (1, f"{file}: is not UTF-8 text\n")


def test_settings_do_not_show_the_password() -> None:
    assert "secret" not in repr(Settings(DATABASE_URL="postgresql://me:secret@db/blog"))


SHOW = ("-c", "from app.core.config import settings; print(settings.DATABASE_URL)")


def _start_with_secrets(folder: Path) -> CompletedProcess[str]:
    """In an environment that does not say where the database is."""
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return python_in(ROOT, *SHOW, **kept | {"SECRETS_DIR": str(folder)})


def test_secret_is_a_file_called_as_its_setting(tmp_path: Path) -> None:
    (tmp_path / "DATABASE_URL").write_text("postgresql://me:hunter2@db/blog\n")
    (tmp_path / "of-something-else").write_text("left alone")

    process = _start_with_secrets(tmp_path)
    environment_first = python(*SHOW, SECRETS_DIR=str(tmp_path))

    assert process.stdout == "postgresql+asyncpg://me:hunter2@db/blog\n"
    assert environment_first.returncode == 0
    assert "hunter2" not in environment_first.stdout


@pytest.mark.parametrize("value", [b"mysql://me:hunter2@db/blog", b"\xffhunter2"])
def test_wrong_secret_is_one_line_that_hides_it(tmp_path: Path, value: bytes) -> None:
    (tmp_path / "DATABASE_URL").write_bytes(value)

    process = _start_with_secrets(tmp_path)

    assert (process.returncode, process.stderr.count("\n")) == (1, 1)
    assert "hunter2" not in process.stderr
