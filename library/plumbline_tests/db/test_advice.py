"""What the adviser says of migrations, and what it lets a script say for itself."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from plumbline.cli import schema
from plumbline.cli.service import Service
from plumbline.db.advice import RULES, SECTIONS, find_unsafe
from plumbline.db.migrate import Migrations
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.db.test_two_heads import Quiet
from plumbline_tests.db.unsafe_scripts import CASES, tables
from plumbline_tests.sandbox.database import settings
from plumbline_tests.scripts import new_migrations, write_script

NAMES = {case: f"t{number}" for number, case in enumerate(CASES)}
IMPORTS = "import sqlalchemy as sa; from sqlalchemy import orm"


@pytest.fixture
def url(postgres: Cluster) -> Iterator[str]:
    yield postgres.create("advised")
    postgres.drop("advised")


@pytest.fixture(scope="module")
def found(
    postgres: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, list[str]]]:
    """What is found in each case, of a database that has them all."""
    migrations = new_migrations(tmp_path_factory.mktemp("scripts"))
    there = [tables(NAMES[case], script) for case, (script, _) in CASES.items()]
    there.append("CREATE TABLE other (id bigint PRIMARY KEY)")
    write_script(migrations, "first", None, f"op.execute({''.join(there)!r})")
    after = "first"
    for case, (script, _) in CASES.items():
        name = NAMES[case]
        write_script(migrations, name, after, f"{IMPORTS}\n    {script.replace('{t}', name)}")
        after = name
    lines = find_unsafe(replace(migrations), postgres.create("cases"))
    yield {
        name: [line for line in lines if line.startswith(f"{name}.py:")] for name in NAMES.values()
    }
    postgres.drop("cases")


@pytest.mark.parametrize("case", CASES)
def test_each_script_is_told_what_it_does_to_others(
    case: str, found: Mapping[str, list[str]]
) -> None:
    name, (_, wanted) = NAMES[case], CASES[case]
    said = sorted(line.split(": ")[1] for line in found[name])

    assert said == sorted(key.replace("{t}", name) for key in wanted)


def test_every_rule_has_a_case() -> None:
    cased = {key.partition(" ")[0] for _, keys in CASES.values() for key in keys}

    assert cased == RULES.keys() >= SECTIONS.keys()


def _script(folder: Path, safe: str = "", statement: str = "ALTER TABLE a DROP b") -> Migrations:
    first = "op.execute('CREATE TABLE a (b int, c int)')"
    made = write_script(new_migrations(folder), "first", None, first)
    write_script(made, "second", "first", f"op.execute({statement!r})")
    file = folder / "versions/second.py"
    file.write_text(file.read_text().replace("\n\ndef upgrade", f"{safe}\n\ndef upgrade"))
    return made


def test_line_names_script_line_rule_and_the_section_of_the_page(tmp_path: Path, url: str) -> None:
    (line,) = find_unsafe(_script(tmp_path), url)

    assert line == (
        "second.py:10: drop-column a.b: the running release still reads it "
        "(safe_migrations.md#drop-column)"
    )


@pytest.mark.parametrize(
    ("safe", "said"),
    [
        ('SAFE = {"drop-column a.b": "nobody reads it since 2.3"}', []),
        ('SAFE = {"drop-column a.b": " "}', ["SAFE has no reason for 'drop-column a.b'"]),
        ('SAFE = {"drop-column a.b": None}', ["SAFE has no reason for 'drop-column a.b'"]),
        (
            'SAFE = {"drop-column a.c": "x y"}',
            ["SAFE has 'drop-column a.c': it does nothing of that", "10: drop-column a.b: "],
        ),
        ('SAFE = {"drop-col a.b": "x y"}', ["the rules are lost-rename,", "10: drop-column a.b: "]),
        ('SAFE = "drop-column a.b"', ["SAFE has to be a dict", "10: drop-column a.b: "]),
    ],
)  # fmt: skip
def test_reason_is_asked_for_each_finding_and_for_nothing_else(
    tmp_path: Path, url: str, safe: str, said: list[str]
) -> None:
    lines = find_unsafe(_script(tmp_path, safe), url)

    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert words in line


def test_revisions_up_to_the_baseline_need_no_reason(tmp_path: Path, url: str) -> None:
    assert find_unsafe(replace(_script(tmp_path), baseline="second"), url) == []


def test_baseline_that_is_no_revision_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(OperatorError, match="'nothing'"):
        find_unsafe(replace(_script(tmp_path), baseline="nothing"), url)


def _service(migrations: Migrations) -> Service:
    return Quiet("nowhere:app", migrations.scripts, settings, migrations, list, list)


def test_check_refuses_what_has_no_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unsafe = _script(tmp_path, statement="DROP TABLE a")

    with pytest.raises(OperatorError, match=r"in the way of requests: .* \(safe_migrations.md\)"):
        schema.check(_service(unsafe))

    assert "second.py:10: drop-table a: " in capsys.readouterr().out


def test_script_is_told_what_it_does_when_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the way out; those that were there before are not told again."""
    models = MetaData()
    Table("a", models, Column("c", Integer), Column("d", Integer, nullable=False))
    unsafe = replace(_script(tmp_path), metadata=models)

    schema.revision(_service(unsafe), "required")

    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sandbox: ")]
    assert "_required.py:" in told[1]
    assert "required-column a.d: rows that are there have no value for it" in told[1]
    assert told[2].startswith("sandbox: `sandbox db check` refuses that: write the safe sequence")
    assert "drop-column" not in told[1]
