"""New projects of a library that was installed from an index, and of one that pip has compiled."""

import shutil
import subprocess
from pathlib import Path

import pytest

from plumbline.template.rendering import Answers, render, write
from plumbline.template.source import HERE, installed_template, unpacked
from plumbline_tests.processes import python_in

COMMAND = ("-c", "from plumbline.cli.command import main; main()")


def test_what_pip_compiles_is_no_part_of_the_template(tmp_path: Path) -> None:
    installed = tmp_path / "plumbline/template"
    shutil.copytree(HERE, installed)
    compiled = installed / "overlay/scripts/__pycache__/check_system.cpython-311.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(b"")

    assert not [path for path in unpacked("1", tmp_path).overlay if "__pycache__" in path]


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    process = python_in(tmp_path, *COMMAND, "new", "file/shop")

    told = f"plumbline: {tmp_path}/file/shop: Not a directory\n"
    assert (process.returncode, process.stderr) == (1, told)


@pytest.mark.parametrize(
    ("wheel", "installed"),
    [("", "plumbline-fastapi==7.0"), ("a-7.0.whl", "vendor/a-7.0.whl")],
    ids=["index", "vendor"],
)
def test_setup_installs_the_library_that_the_locks_lack(
    wheel: str, installed: str, tmp_path: Path
) -> None:
    answers = Answers("7.0", "Shop", "Ada", "MIT", 2026, wheel)
    write(render(installed_template(), answers), tmp_path)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/a-7.0.whl").touch() if wheel else None

    said = subprocess.check_output(["make", "--dry-run", "setup", "UV=uv"], cwd=tmp_path, text=True)

    assert f"--no-deps {installed} --editable ." in said
