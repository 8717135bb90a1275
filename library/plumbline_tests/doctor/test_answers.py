"""The command: how it answers people and programs, and what it lets pass."""

import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli.standalone import cli
from plumbline.doctor.rules import RULES
from plumbline.errors import OperatorError
from plumbline_tests.doctor.projects import write

LATE = {rule.code: rule for rule in RULES}["PL001"].example("Wrong")["main.py"]
NAIVE = {rule.code: rule for rule in RULES}["PL303"].example("Wrong")["main.py"]
UNTESTED = {rule.code: rule for rule in RULES}["PL101"].example("Wrong")["main.py"]
FAULT = "        await session.commit()  # PL001"


@dataclass(frozen=True)
class Answer:
    status: int
    stdout: str
    stderr: str = ""


def run(folder: Path, *options: str) -> Answer:
    """`plumbline doctor`, in this process."""
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as told:
        try:
            status = cli(["doctor", str(folder), *options], standalone_mode=False)
        except OperatorError as error:
            return Answer(1, printed.getvalue(), told.getvalue() + str(error))
    return Answer(status, printed.getvalue(), told.getvalue())


def test_command_ends_with_its_status_and_one_line(tmp_path: Path) -> None:
    program = "from plumbline.cli.command import main; main()"
    command = [sys.executable, "-c", program, "doctor", str(tmp_path / "none")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"plumbline: {tmp_path / 'none'} is no folder\n"


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that loses data, and forgets zones."""
    return write(tmp_path_factory.mktemp("late"), {"main.py": LATE, "app/models.py": NAIVE})


def test_answer_for_people_shows_the_line_and_marks_the_fault(late: Path) -> None:
    answer = run(late)

    number = LATE.splitlines().index(FAULT) + 1
    assert answer.status == 1
    assert (
        f"main.py:{number}:15: PL001 loses data: the commit comes after the response\n"
        f"{number:>6} | await session.commit()  # PL001\n"
        "       |       ^^^^^^^^^^^^^^^^\n"
        "         `get_db` commits after the response was sent: Depends(get_db) in main.py:"
    ) in answer.stdout
    assert "2 findings in 2 Python files: 1 loses data, 1 hazard" in answer.stdout
    assert answer.stderr == ""


def test_json_has_each_finding_with_its_place(late: Path) -> None:
    whole = json.loads(run(late, "--format", "json").stdout)

    first, second = whole["findings"]
    assert (first["code"], first["path"], first["severity"]) == ("PL303", "app/models.py", "hazard")
    assert second["name"] == "commit-after-response"
    line = LATE.splitlines()[second["line"] - 1]
    assert line[second["column"] - 1 : second["end_column"] - 1] == "session.commit()"
    assert (whole["files"], whole["unread"], whole["known"]) == (2, [], 0)


def test_sarif_has_the_rules_and_where_each_finding_is(late: Path) -> None:
    sarif = json.loads(run(late, "--format", "sarif").stdout)

    (scan,) = sarif["runs"]
    rules: list[dict[str, Any]] = scan["tool"]["driver"]["rules"]
    assert sarif["version"] == "2.1.0"
    assert [each["id"] for each in rules] == [rule.code for rule in RULES]
    assert [each["level"] for each in scan["results"]] == ["warning", "error"]
    where = scan["results"][1]["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "main.py"
    assert where["region"]["startLine"] == LATE.splitlines().index(FAULT) + 1
    assert len({each["partialFingerprints"]["plumbline/v1"] for each in scan["results"]}) == 2


def test_annotations_are_commands_of_github(late: Path) -> None:
    lines = run(late, "--format", "github").stdout.splitlines()

    assert len(lines) == 2
    assert lines[1].startswith("::error file=main.py,line=13,col=15,title=PL001 the commit comes")
    assert "%3A" not in lines[1].rpartition("::")[2]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 1),
        (("--fail-on", "loses-data"), 1),
        (("--fail-on", "hazard"), 1),
        (("--fail-on", "never"), 0),
    ],
)
def test_status_says_whether_a_fault_is_as_severe(
    late: Path, options: tuple[str, ...], status: int
) -> None:
    assert run(late, *options).status == status


def test_hazards_alone_end_well_unless_told_otherwise(tmp_path: Path) -> None:
    write(tmp_path, {"models.py": NAIVE})

    assert run(tmp_path).status == 0
    assert run(tmp_path, "--fail-on", "hazard").status == 1


@pytest.mark.parametrize(
    ("comment", "count"),
    [
        ("# noqa: PL001", 0),
        ("# noqa: E501, PL001", 0),
        ("# noqa", 0),
        ("# noqa: PL101", 1),
        ("# noqa: PL0", 1),
    ],
)
def test_noqa_lets_a_line_pass(comment: str, count: int, tmp_path: Path) -> None:
    write(tmp_path, {"main.py": LATE.replace("# PL001", comment)})

    assert len(json.loads(run(tmp_path, "--format", "json").stdout)["findings"]) == count


CONFIGURATIONS = {
    'ignore = ["PL001", "PL303"]': 0,
    'exclude = ["app", "main.py"]': 0,
    'exclude = ["ap"]': 2,
    '[tool.plumbline.doctor.per-file-ignores]\n"app/*" = ["PL303"]': 1,
    '[tool.plumbline.doctor.per-file-ignores]\n"app/*" = ["PL001"]': 2,
}


@pytest.mark.parametrize("lines", CONFIGURATIONS)
def test_pyproject_says_what_is_left_out(lines: str, tmp_path: Path) -> None:
    files = {"main.py": LATE, "app/models.py": NAIVE}
    write(tmp_path, {**files, "pyproject.toml": f"[tool.plumbline.doctor]\n{lines}\n"})

    found = json.loads(run(tmp_path, "--format", "json").stdout)["findings"]
    assert len(found) == CONFIGURATIONS[lines]


def test_baseline_lets_pass_what_is_there_today_and_no_more(tmp_path: Path) -> None:
    settings = '[tool.plumbline.doctor]\nbaseline = "doctor.json"\n'
    write(tmp_path, {"main.py": LATE})
    assert run(tmp_path, "--save-baseline", str(tmp_path / "doctor.json")).status == 0
    write(tmp_path, {"pyproject.toml": settings, "main.py": f"# moved by a line\n{LATE}"})

    same = run(tmp_path)
    another = LATE.replace("get_db", "get_other").replace("Db =", "Other =")
    write(tmp_path, {"main.py": LATE + another})
    more = run(tmp_path)

    assert (same.status, more.status) == (0, 1)
    assert "1 findings are in the baseline" in same.stdout
    assert more.stdout.count("PL001 loses data") == 1


def test_fix_writes_what_diff_shows(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": UNTESTED})

    shown = run(tmp_path, "--diff").stdout
    before = (tmp_path / "main.py").read_text()
    run(tmp_path, "--fix")

    assert before == UNTESTED
    assert '+engine = create_async_engine("postgresql+asyncpg://db/app", connect_args' in shown
    after = (tmp_path / "main.py").read_text()
    assert after == UNTESTED.replace('{"timeout": 2})', '{"timeout": 2}, pool_pre_ping=True)')
    assert "nothing found" in run(tmp_path).stdout


def test_fix_keeps_the_ends_of_lines_and_finds_its_line(tmp_path: Path) -> None:
    text = f"# \u2028 and \f end no line\n{UNTESTED}".replace("\n", "\r\n")
    (tmp_path / "main.py").write_bytes(text.encode())
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "none.py")

    run(tmp_path, "--fix")

    fixed = text.replace('{"timeout": 2})', '{"timeout": 2}, pool_pre_ping=True)')
    assert (tmp_path / "main.py").read_bytes() == fixed.encode()


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": LATE})
    (tmp_path / "broken.py").symlink_to("/proc/self/mem")  # which root cannot read either

    answer = run(tmp_path)

    assert "PL001 loses data" in answer.stdout
    assert "not read: broken.py (Input/output error)" in answer.stdout


@pytest.mark.parametrize("name", ["PL001", "pl001", "commit-after-response"])
def test_explain_prints_the_page_of_a_rule(name: str, tmp_path: Path) -> None:
    assert run(tmp_path, "--explain", name).stdout.startswith("# PL001: the commit comes after")


WRONG = {
    ("--explain", "PL999"): "no rule 'PL999': there are PL001, ",
    ("--format", "xml"): "no format 'xml': take one of text, json, sarif, github",
    ("--fail-on", "bad"): "'bad' is no severity: take one of hazard, insecure,",
    ("--baseline", "none.json"): "the baseline none.json: No such file or directory",
}


@pytest.mark.parametrize("options", WRONG)
def test_wrong_use_is_one_line(options: tuple[str, str], tmp_path: Path) -> None:
    answer = run(write(tmp_path, {"main.py": LATE}), *options)

    assert answer.status == 1
    assert answer.stderr.startswith(WRONG[options])
    assert "\n" not in answer.stderr


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("ignored = []", "[tool.plumbline.doctor] has no ignored: it takes baseline, exclude,"),
        ('ignore = ["PL999"]', "[tool.plumbline.doctor] ignores PL999, which is no rule"),
        ("ignore = [", "pyproject.toml: "),
        ("ignore = 5", "[tool.plumbline.doctor] ignore must be a list of texts"),
        ("exclude = [5]", "[tool.plumbline.doctor] exclude must be a list of texts"),
        ("baseline = []", "[tool.plumbline.doctor] baseline must be a text"),
        (
            'per-file-ignores = { a = "PL001" }',
            "[tool.plumbline.doctor] per-file-ignores must be a table of lists of texts",
        ),
    ],
)
def test_wrong_configuration_is_one_line(lines: str, told: str, tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": f"[tool.plumbline.doctor]\n{lines}\n"})

    answer = run(tmp_path)

    assert answer.status == 1
    assert answer.stderr.startswith(f"{told}")
