"""asyncpg is not installed: one line says what to do."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from plumbline_tests.pitfalls.tutorial import PAGE, is_documented
from tests.copies import path_of
from tests.postgres import ROOT

ONE_LINE = "asyncpg is not installed: pip install asyncpg\n"
COMMANDS = (["-m", "uvicorn", "app.main:app"], ["-m", "app.db.init_db"])


class _NoAsyncpg:
    """An entry of `sys.meta_path`."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "asyncpg":
            raise ModuleNotFoundError("No module named 'asyncpg'", name="asyncpg")


def test_engine_without_its_driver_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asyncpg")
    monkeypatch.setattr(sys, "meta_path", [_NoAsyncpg(), *sys.meta_path])

    with pytest.raises(ModuleNotFoundError) as caught:
        create_async_engine("postgresql+asyncpg://postgres@localhost/app")

    assert is_documented(caught.value)


def test_app_without_its_driver_says_what_to_install(tmp_path: Path) -> None:
    started = [_start_without_asyncpg(command, tmp_path) for command in COMMANDS]
    ended = [(*process.communicate(), process.returncode) for process in started]

    assert ended == [("", ONE_LINE, 1)] * len(COMMANDS)
    assert ONE_LINE in PAGE.read_text()


def _start_without_asyncpg(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """Python runs a module named sitecustomize by itself when it starts."""
    install = f"import sys\nsys.meta_path.insert(0, {_NoAsyncpg.__name__}())\n"
    (folder / "sitecustomize.py").write_text(inspect.getsource(_NoAsyncpg) + install)
    return subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), path_of(ROOT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
