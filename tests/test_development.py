"""`make run`: what a developer may rely on while it runs, and what it says when it cannot."""

import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from app import cli
from app.core.config import settings
from app.db.embedded import run_postgres
from tests.postgres import ROOT
from tests.processes import developing, python_in, refuses, until

APP = ("-m", "app.cli")
pytestmark = pytest.mark.timeout(240)


def _postmaster(folder: Path) -> int:
    return int((folder / ".postgres/data/postmaster.pid").read_text().split()[0])


def test_edit_of_a_route_is_served(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port, copy = free_port(), tmp_path / "copy"
    shutil.copytree(ROOT / "app", copy / "app", ignore=shutil.ignore_patterns("__pycache__"))
    route = copy / "app/api/health.py"

    with developing(port, tmp_path, source=copy):
        route.write_text(route.read_text().replace('"alive"', '"edited"'))

        assert until(lambda: "edited" in httpx2.get(f"http://127.0.0.1:{port}/livez").text)


def test_killed_developer_command_leaves_nothing_behind(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()

    with developing(port, tmp_path) as process:
        postgres = _postmaster(tmp_path)
        long = {"X-Long": "x" * settings.MAX_HEAD_BYTES}
        assert httpx2.get(f"http://127.0.0.1:{port}/livez", headers=long).status_code == 431
        process.kill()
        process.wait()

        assert until(lambda: refuses(f"http://127.0.0.1:{port}/livez"))
        assert until(lambda: not Path(f"/proc/{postgres}").exists())


def test_end_of_postgresql_ends_the_command_with_a_line(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()

    with developing(port, tmp_path, "--no-reload") as process:
        os.kill(_postmaster(tmp_path), signal.SIGKILL)

        assert process.wait(30) == 1
        assert refuses(f"http://127.0.0.1:{port}/livez")

    log = tmp_path / ".postgres/postgres.log"
    line = f"app: PostgreSQL stopped (code 137): see {log}, and start again"
    assert (tmp_path / "log").read_text().splitlines()[-1] == line


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "it is taken"), ("192.0.2.1", "Cannot assign"), ("no.invalid", "")],
)
def test_address_that_cannot_be_had_is_one_line_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    host: str,
    reason: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["dev", f"--host={host}", f"--port={port}", f"--data-dir={tmp_path / 'new'}"]
        monkeypatch.setattr(sys, "argv", ["app", *arguments])
        monkeypatch.setattr(signal, "signal", lambda *_: None)

        with pytest.raises(SystemExit) as ended:
            cli.main()

    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert told.startswith(f"app: port {port} of {host} cannot be had ({reason}")
    assert told.endswith(f"): choose another one, as in `make run port={port + 1}`\n")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_commands_reach_the_server_of_this_folder_whatever_its_port(
    tmp_path: Path, free_port: Callable[[], int], initialised: Callable[[Path], None]
) -> None:
    initialised(tmp_path / ".postgres")
    elsewhere = {"DATABASE_URL": "postgresql://me@127.0.0.1:1/app"}
    with run_postgres(tmp_path / ".postgres", port=free_port(), durable=False):
        migrated = python_in(tmp_path, *APP, "db", "upgrade")
        users = python_in(tmp_path, *APP, "user", "list")
        explicit = python_in(tmp_path, *APP, "db", "current", **elsewhere)

    assert (migrated.returncode, users.returncode, users.stderr) == (0, 0, "")
    assert explicit.stderr.startswith("app: PostgreSQL cannot be reached")


@pytest.mark.parametrize(
    ("arguments", "env_file"),
    [(["db"], ".env"), (["user", "create", "--help"], "/proc/self/mem")],
    ids=["not text", "not to be read"],
)
def test_help_is_shown_whatever_the_settings_are(
    arguments: list[str], env_file: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_bytes(b"NO_SUCH_SETTING=1\n\xff")

    process = python_in(tmp_path, *APP, *arguments, DB_POOL_SIZE="many", ENV_FILE=env_file)

    assert "Usage: " in process.stdout
    assert process.stderr == ""


def test_wrong_settings_stop_what_is_not_help(tmp_path: Path) -> None:
    process = python_in(tmp_path, *APP, "user", "deactivate", "--", "--help", DB_POOL_SIZE="many")

    assert process.returncode == 1
    assert process.stderr.startswith("DB_POOL_SIZE: ")


@pytest.mark.parametrize(
    ("system", "obstacle"),
    [
        (("Linux", "x86_64", "glibc 2.36"), None),
        (("Linux", "aarch64", "glibc 2.36"), None),
        (("Darwin", "arm64", None), None),
        (("Linux", "x86_64", None), "Linux without glibc (musl, as in Alpine)"),
        (("Linux", "i686", "glibc 2.36"), "Linux on i686"),
        (("Windows", "AMD64", None), "Windows (on Windows use WSL)"),
    ],
)
def test_system_without_programs_of_postgresql_is_told_so(
    system: tuple[str, str, str | None], obstacle: str | None
) -> None:
    check = runpy.run_path(str(ROOT / "scripts/check_system.py"))

    assert check["find_obstacle"](*system) == obstacle


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        (["SSL_CERT_FILE=store.pem"], "1 1 ignore"),
        (["CERTIFICATES=/etc/ssl/cert.pem"], "1 1 ignore"),
        # uv fails where it is told to use a store that is empty.
        (["SSL_CERT_FILE=", "SSL_CERT_DIR=", "CERTIFICATES="], "no no ignore"),
    ],
    ids=["named", "found", "none"],
)
def test_setup_trusts_the_certificates_of_the_machine(variables: list[str], seen: str) -> None:
    show = "show:; @echo $${UV_SYSTEM_CERTS-no} $${UV_NATIVE_TLS-no} $$PIP_ROOT_USER_ACTION"
    plain = {"PATH": os.environ["PATH"]}
    command = ["make", "--silent", f"--eval={show}", *variables, "show"]

    process = subprocess.run(
        command, cwd=ROOT, env=plain, capture_output=True, text=True, check=True
    )

    assert process.stdout == f"{seen}\n"
