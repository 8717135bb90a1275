"""`plumbline doctor --live`: its answers, what it lets pass, and that it only reads, in time."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plumbline.doctor.live.database import Unreachable, opened
from plumbline.testing.cluster import Cluster
from plumbline_tests.doctor.databases import name_of, shop
from plumbline_tests.doctor.databases import run as execute
from plumbline_tests.doctor.projects import write
from plumbline_tests.doctor.test_answers import run

FAULT = (
    "public.sale.sold_at: PL724 hazard: a column keeps times without their zone\n         timest"
)


@pytest.fixture(scope="module")
def database(postgres: Cluster) -> Iterator[str]:
    with shop(postgres) as url:
        execute(url, "CREATE TABLE sale (id bigint PRIMARY KEY, sold_at timestamp)")
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, {"pyproject.toml": '[tool.plumbline.doctor]\nignore = ["PL711"]\n'})


def test_answer_for_people_names_the_object(project: Path, database: str) -> None:
    answer = run(project, "--live", database)

    assert answer.status == 0
    assert answer.stdout.startswith(FAULT)
    assert f"1 findings in database {name_of(database)} of PostgreSQL 1" in answer.stdout
    assert answer.stdout.endswith("plumbline doctor --explain PL724\n")
    assert run(project, "--live", database, "--fail-on", "hazard").status == 1


def test_answers_for_programs_name_the_object(project: Path, database: str) -> None:
    (finding,) = json.loads(run(project, "--live", database, "--format", "json").stdout)["findings"]
    (scan,) = json.loads(run(project, "--live", database, "--format", "sarif").stdout)["runs"]
    annotation = run(project, "--live", database, "--format", "github").stdout

    assert (finding["object"], finding["code"]) == ("public.sale.sold_at", "PL724")
    assert "path" not in finding
    (result,) = scan["results"]
    assert result["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "public.sale.sold_at"}]}
    ]
    assert "PL724" in [rule["id"] for rule in scan["tool"]["driver"]["rules"]]
    assert annotation.startswith("::warning title=PL724 a column keeps times without their zone::")


def test_objects_are_let_pass_by_name_and_by_a_baseline(project: Path, database: str) -> None:
    kept = project / "live.json"
    run(project, "--live", database, "--save-baseline", str(kept))
    known = run(project, "--live", database, "--baseline", str(kept))
    execute(database, "ALTER TABLE sale ADD paid_at timestamp")
    new = run(project, "--live", database, "--baseline", str(kept))
    execute(database, "ALTER TABLE sale DROP paid_at")
    per_file = 'ignore = ["PL711"]\nper-file-ignores = { "public.sale.*" = ["PL724"] }'
    write(project, {"pyproject.toml": f"[tool.plumbline.doctor]\n{per_file}\n"})
    by_name = run(project, "--live", database)

    assert known.stdout.startswith("1 findings are in the baseline\nnothing found in database")
    assert new.stdout.startswith("public.sale.paid_at: PL724")
    assert by_name.stdout.startswith("nothing found in database")


def test_url_may_name_any_driver_or_come_from_a_variable(
    project: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", database.replace("postgresql://", "postgresql+asyncpg://"))

    assert run(project, "--live", "SHOP_URL").stdout.startswith(FAULT)


WRONG = {
    "NOT_SET_AT_ALL": "--live takes a URL, or the name of a variable that has it: NOT_SET_AT_ALL",
    "postgresql://a:secret@:x:/": "--live takes a URL such as postgresql://user@host/database",
    "nonsense=1 password=secret": "the database: its URL cannot be read",
    "postgresql://a:secret@127.0.0.1:1/x": "the database: connection failed: connection to server",
}


@pytest.mark.parametrize("given", WRONG)
def test_what_cannot_be_reached_is_one_line_without_the_password(given: str, project: Path) -> None:
    answer = run(project, "--live", given)

    assert (answer.status, answer.stdout) == (1, "")
    assert answer.stderr.startswith(WRONG[given])
    assert "secret" not in answer.stderr
    assert "\n" not in answer.stderr


def test_nothing_is_written_and_no_lock_is_waited_for(database: str) -> None:
    with opened(database, 30) as looking, psycopg.connect(database) as holding:
        holding.execute("LOCK TABLE sale")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            looking.rows("CREATE TABLE made (id int)")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            looking.rows("SELECT id FROM public.sale")
        assert looking.rows("SHOW search_path") == [("pg_catalog",)]
        assert looking.rows("SHOW statement_timeout") == [("5s",)]


def test_server_that_does_not_answer_ends_the_look(database: str) -> None:
    with pytest.raises(psycopg.OperationalError), opened(database, 0.3) as looking:
        looking.connection.execute("SELECT pg_sleep(20)")


def test_older_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plumbline.doctor.live.database.OLDEST", 990_000)

    with pytest.raises(Unreachable, match=r"PostgreSQL \d+: the doctor reads 13 and newer"):
        opened(database, 30).__enter__()
