"""The `app` command."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import cli
from app.core import security
from app.db.models import AccessToken, AuditEvent, User
from app.db.schema import migrations
from plumbline_tests.processes import new_python, python
from tests.people import PASSWORD, signed_in
from tests.postgres import ROOT

_app = partial(python, "-m", "app.cli")


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ([], ["dev", "postgres", "serve", "db", "user"]),
        (["db"], ["upgrade", "downgrade", "revision", "check", "draw", "current"]),
        (["user"], ["create", "set-password", "deactivate", "list"]),
    ],
)
def test_help_lists_every_command_with_its_purpose(
    arguments: Sequence[str], commands: Sequence[str]
) -> None:
    process = _app(*arguments, "--help")

    assert process.returncode == 0
    for command in commands:
        assert re.search(rf"^│ {command} +[A-Z]", process.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["db", "nonsense"],
        ["dev", "--port", "x"],
        ["dev", "--port", "0"],
        ["serve", "--workers", "0"],
        ["postgres", "--nonsense"],
        ["db", "revision"],
        ["db", "downgrade", "--nonsense"],
        ["db", "downgrade", "-1", "--nonsense"],
        ["dev", "--port", "-1"],
        ["user", "create", "dora"],
        ["user", "create", "dora", "dora@example.com", "--role", "king"],
        ["user", "create", "d o", "dora@example.com"],
        ["user", "create", "dora", "nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line_and_exit_code_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["app", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))

    with pytest.raises(SystemExit) as ended:
        cli.main()

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith("app: ")
    assert told.count("\n") == 1
    assert PASSWORD not in told


def test_wrong_value_is_told_in_plain_words() -> None:
    process = _app("user", "create", "d o", "dora@example.com", typed=f"{PASSWORD}\n")

    told = "app: username: may contain only letters, digits, '.', '_' and '-'.\n"
    assert (process.returncode, process.stderr) == (2, told)


def test_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(  # a process of its own: its exit flushes too
            [sys.executable, "-m", "app.cli", "check"],
            check=False,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert (ended.returncode, ended.stderr) == (1, "app: No space left on device\n")


def test_script_that_is_no_python_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("\nsyntax(\n")
    start = "import sys; from plumbline.cli.main import run; sys.path.insert(0, sys.argv.pop())"

    ended = python("-c", f"{start}; run('app', 'wrong:cli')", str(tmp_path))

    told = f"app: {tmp_path}/wrong.py, line 2: '(' was never closed\n"
    assert (ended.returncode, ended.stderr) == (1, told)


@pytest.mark.parametrize("module", ["app.cli", "plumbline.cli.command"])
def test_stop_while_a_command_is_imported_is_one_line(module: str, tmp_path: Path) -> None:
    raising = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / "typer.py").write_text(raising)

    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", str(ROOT))])
    ended = new_python("-c", f"from {module} import main; main()", PYTHONPATH=path)

    name = module.partition(".")[0]
    assert (ended.returncode, ended.stderr) == (130, f"{name}: stopped\n")


def test_number_below_zero_is_an_argument() -> None:
    process = _app("db", "downgrade", "-1", DATABASE_URL="postgresql://me@127.0.0.1:1/app")

    assert process.stderr.startswith("app: PostgreSQL cannot be reached")


def test_command_of_the_library_needs_neither_a_service_nor_settings() -> None:
    start = "from plumbline.cli.command import main; main()"
    helped = python("-c", start, "--help", DB_POOL_SIZE="many")
    wrong = python("-c", start, "postgres", "--port", "x", DB_POOL_SIZE="many")

    assert re.search(r"^│ postgres +[A-Z]", helped.stdout, re.MULTILINE)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("plumbline: Invalid value for '--port'")


async def test_user_create_makes_an_admin_who_can_log_in(db: AsyncSession) -> None:
    process = _app(
        "user", "create", "Dora", "dora@example.com", "--role=admin", typed=f"{PASSWORD}\n"
    )

    user = (await db.scalars(select(User))).one()
    assert process.stdout == f"created admin dora with id {user.id}\n"
    assert user.role == "admin"
    assert await security.verify_password(PASSWORD, user.hashed_password)


@pytest.mark.usefixtures("alice")
def test_user_create_names_what_is_taken() -> None:
    process = _app("user", "create", "carol", "alice@example.com", typed=f"{PASSWORD}\n")

    assert process.returncode == 1
    assert process.stderr == "app: It exists already. email is already taken.\n"


async def test_set_password_ends_all_log_ins(alice: User, db: AsyncSession) -> None:
    process = _app("user", "set-password", "alice@example.com", typed="another long password\n")

    user = await db.get_one(User, alice.id)
    assert process.returncode == 0
    assert await security.verify_password("another long password", user.hashed_password)
    assert list(await db.scalars(select(AccessToken))) == []


async def test_deactivated_user_is_refused(
    client: httpx2.AsyncClient, alice: User, admin: User
) -> None:
    process = _app("user", "deactivate", "alice")
    last_admin = _app("user", "deactivate", "root")

    assert process.stdout == "alice is deactivated\n"
    assert (await client.get("/api/v1/users/me", headers=signed_in(alice))).status_code == 401
    assert last_admin.returncode == 1
    assert (await client.get("/api/v1/users/me", headers=signed_in(admin))).status_code == 200


@pytest.mark.parametrize("command", ["create", "set-password"])
def test_no_command_takes_a_password_as_an_argument(command: str) -> None:
    process = _app("user", command, "--help")

    assert "--password" not in process.stdout
    assert not re.search(r"Usage:.*PASSWORD", process.stdout)


def test_set_password_of_nobody_says_where_to_look() -> None:
    process = _app("user", "set-password", "nobody", typed=f"{PASSWORD}\n")

    assert process.returncode == 1
    assert process.stderr == "app: there is no such user: `app user list` shows all\n"


@pytest.mark.usefixtures("alice", "admin")
async def test_user_list_shows_all_newest_first_and_is_on_record(db: AsyncSession) -> None:
    process = _app("user", "list")

    rows = [line.split("\t") for line in process.stdout.splitlines()]
    assert [row[1:] for row in rows] == [
        ["root", "root@example.com", "admin"],
        ["alice", "alice@example.com", "user"],
    ]
    assert list(await db.scalars(select(AuditEvent.action))) == ["accounts read"]


def test_current_shows_both_revisions() -> None:
    head = migrations.head_revision()

    assert _app("db", "current").stdout == f"database {head}, program {head}\n"


@pytest.mark.parametrize("arguments", [["db", "upgrade"], ["user", "list"]], ids=" ".join)
def test_unreachable_database_is_one_line(arguments: Sequence[str]) -> None:
    process = _app(*arguments, DATABASE_URL="postgresql://me@127.0.0.1:1/app")

    assert process.returncode == 1
    assert process.stderr == (
        "app: PostgreSQL cannot be reached: start it (`app postgres`) or correct DATABASE_URL\n"
    )


def test_unmigrated_database_is_one_line() -> None:
    maintenance = os.environ["DATABASE_URL"].replace("/main", "/postgres")

    process = _app("user", "list", DATABASE_URL=maintenance)

    assert process.returncode == 1
    assert process.stderr == "app: the database has not been migrated: run `app db upgrade`\n"
