"""What an import may do, and what is told of it."""

import ast
import sys
from pathlib import Path

import pytest

from plumbline.doctor.run.child import FOLDER
from plumbline_tests.doctor.faulty import look
from plumbline_tests.doctor.projects import write

CRASHES = {
    "import nothing_of_that_name": (
        "shop.main:app cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that_",
        "main.py:1 import nothing_of_that_name",
    ),
    "import sys; sys.exit('no settings')": (
        "shop.main:app cannot be imported: SystemExit: no settings",
        "main.py:1 import sys",
    ),
    "import os; print('last words', flush=True); os._exit(7)": (
        "shop.main:app: the process ended with status 7: last words",
        "",
    ),
    "import os; os.kill(os.getpid(), 9)": (
        "shop.main:app: the process ended with status -9",
        "",
    ),
    "app = 5": (
        "shop.main:app cannot be imported: TypeError: int is no FastAPI application: it has no",
        "",
    ),
    "other = 5": (
        "shop.main:app cannot be imported: AttributeError: module 'shop.main' has no attribute",
        "",
    ),
    "app = = 5": ("shop.main:app cannot be imported: SyntaxError: invalid syntax", ""),
}


@pytest.mark.parametrize("text", CRASHES)
def test_import_that_fails_is_a_line_with_the_end_of_its_traceback(
    text: str, tmp_path: Path
) -> None:
    answer = look(write(tmp_path, {"shop/main.py": f"{text}\n"}), "shop.main:app")

    line, trace = CRASHES[text]
    assert (answer.status, answer.stdout) == (1, "")
    assert answer.stderr.splitlines()[-1].startswith(line)
    assert trace in answer.stderr


def test_import_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    text = "import subprocess; subprocess.run(['sleep', '3'])\n"
    answer = look(write(tmp_path, {"main.py": text}), "main:app", "--time-limit", "1")

    assert answer.stderr == "main:app: the import did not end within 1 s"


def test_threads_that_the_import_started_hold_nothing_up(tmp_path: Path) -> None:
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()\n"
    application = "class App:\n    routes = []\napp = App()\n"
    answer = look(write(tmp_path, {"main.py": thread + application}), "main:app")

    assert answer.stdout == "nothing found in main:app with 0 routes\n"


def test_interpreter_is_the_projects_or_the_one_that_is_named(tmp_path: Path) -> None:
    write(tmp_path, {".venv/bin/python": "#!/bin/sh\necho its own; exit 3\n", "main.py": ""})
    (tmp_path / ".venv/bin/python").chmod(0o755)
    own = look(tmp_path, "main:app")
    named = look(tmp_path, "main:app", "--python", "/nothing/python")

    assert own.stderr == "main:app: the process ended with status 3: its own"
    assert named.stderr == "/nothing/python cannot be started: No such file or directory"


def test_two_looks_at_once_are_refused(tmp_path: Path) -> None:
    answer = look(tmp_path, "main:app", "--live", "postgresql://h/x")

    assert answer.stderr == "--live and --run are two looks: take one of them"


@pytest.mark.parametrize(
    "file", sorted((FOLDER / "inside").glob("*.py")), ids=lambda file: file.stem
)
def test_what_is_handed_to_an_interpreter_is_python_3_8_and_needs_nothing(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 8))
    absolute = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }

    assert absolute <= sys.stdlib_module_names
