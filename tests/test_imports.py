"""What the import of a module does."""

import json
import subprocess
from collections.abc import Callable

import pytest

from plumbline_tests.processes import new_python, python

# The composition root: the settings, the engine made of them, and the application.
MAKES_SETTINGS = ["app.core.config"]
READS_SETTINGS = ["app.db.session", "app.main"]


def test_settings_are_read_at_import_only_where_the_service_is_put_together() -> None:
    """Elsewhere: hand the settings on, and read them in the function that needs them."""
    process = python("-m", "tests.read_at_import")
    assert process.returncode == 0, process.stderr

    makers, readers = json.loads(process.stdout)

    assert (makers, readers) == (MAKES_SETTINGS, READS_SETTINGS)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("app.cli:main", ["serve"]),
        ("plumbline.cli.command:main", ["postgres"]),
        ("plumbline.cli.command:main", ["new"]),
    ],
    ids=str,
)
def test_command_imports_no_part_that_it_does_not_use(command: str, words: list[str]) -> None:
    imported = {each for each in _imported_by(command, words) if each.startswith("plumbline.")}
    parts = {each.split(".")[1] for each in imported}

    assert "cli" in parts
    assert not parts & {"scaffold", "doctor", "template", "testing"}


@pytest.mark.parametrize("words", [["dev"], ["db", "upgrade"], ["user", "create"]], ids=" ".join)
def test_command_that_serves_nothing_itself_imports_no_fastapi(words: list[str]) -> None:
    imported = _imported_by("app.cli:main", words, new_python)

    assert "sqlalchemy" in imported
    assert not imported & {"fastapi", "starlette", "uvicorn"}


def _imported_by(
    command: str,
    words: list[str],
    run: Callable[..., subprocess.CompletedProcess[str]] = python,
) -> set[str]:
    """What is there when its help has been printed."""
    module, _, name = command.partition(":")
    told = (
        f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); sys.argv[1:] = {words}"
    )
    process = run("-c", f"{told} + ['--help']; from {module} import {name}; {name}()")
    assert process.returncode == 0, process.stderr
    return set(process.stdout.split())
