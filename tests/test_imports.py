"""What the import of a module does."""

import json

import pytest

from plumbline_tests.processes import python

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
        ("plumbline.cli.standalone:main", ["postgres"]),
        ("plumbline.cli.standalone:main", ["new"]),
    ],
    ids=str,
)
def test_command_imports_no_part_that_it_does_not_use(command: str, words: list[str]) -> None:
    module, _, name = command.partition(":")
    told = (
        f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); sys.argv[1:] = {words}"
    )
    process = python("-c", f"{told} + ['--help']; from {module} import {name}; {name}()")

    assert process.returncode == 0, process.stderr
    imported = {each for each in process.stdout.split() if each.startswith("plumbline.")}
    parts = {each.split(".")[1] for each in imported}
    assert "cli" in parts
    assert not parts & {"scaffold", "doctor", "template", "testing"}
