"""How other projects run the doctor: the manifest for pre-commit, and the Action."""

import json
import re
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from plumbline.cli.standalone import cli
from plumbline.doctor.rules import RULES
from plumbline_tests.doctor.projects import write
from tests.postgres import ROOT

LATE = {rule.code: rule for rule in RULES}["PL001"].example("Wrong")


def _read(name: str) -> Any:  # noqa: ANN401 - what YAML holds
    return yaml.safe_load((ROOT / name).read_text())


def test_manifest_of_pre_commit_is_valid_and_its_entry_finds_a_fault(tmp_path: Path) -> None:
    (hook,) = _read(".pre-commit-hooks.yaml")
    command, *given = hook["entry"].split()
    write(tmp_path, LATE)

    with redirect_stdout(StringIO()) as printed:
        status = cli([*given, str(tmp_path)], standalone_mode=False)

    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
    assert hook["additional_dependencies"] == ["./library[doctor]"]
    assert (
        command
        in tomllib.loads((ROOT / "library/pyproject.toml").read_text())["project"]["scripts"]
    )
    assert re.search(hook["files"], "app/a.py")
    assert not re.search(hook["files"], "README.md")
    assert (status, "PL001 loses data" in printed.getvalue()) == (1, True)


def test_action_annotates_and_writes_for_code_scanning(tmp_path: Path) -> None:
    action = _read("action.yml")
    _, step = action["runs"]["steps"]
    write(tmp_path / "shop", LATE)
    (tmp_path / "plumbline").symlink_to(Path(sys.executable).parent.parent)
    given = {"FOLDER": "shop", "FAIL_ON": "insecure", "SARIF": "doctor.sarif"}

    ended = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(tmp_path), **given},
        capture_output=True,
        text=True,
        check=False,
    )

    assert {"path", "fail-on", "sarif"} == action["inputs"].keys()
    assert step["env"].keys() == given.keys()
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.startswith("::error file=main.py,line=")
    assert json.loads((tmp_path / "doctor.sarif").read_text())["version"] == "2.1.0"
