"""`make run`: what a developer may rely on while it runs, and what it says when it cannot."""

import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest

from app import cli
from app.core.config import settings
from plumbline.db.embedded import run_postgres
from plumbline_tests.processes import python_in, until
from tests.development import IN_BACKGROUND, developing, refuses
from tests.postgres import ROOT

APP = ("-m", "app.cli")
pytestmark = pytest.mark.timeout(240)


@dataclass
class Developing:
    """`make run`, which has its PostgreSQL and what it has said in `folder`."""

    port: int
    folder: Path
    process: subprocess.Popen[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def postmaster(self) -> int:
        return int((self.folder / ".postgres/data/postmaster.pid").read_text().split()[0])

    def told(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="module")
def reloading(
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
    initialised: Callable[[Path], None],
) -> Iterator[Developing]:
    """On a copy of the program. The last test of it kills it."""
    port, folder = free_port(), tmp_path_factory.mktemp("reloading")
    half_written = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(ROOT / "app", folder / "copy/app", ignore=half_written)
    initialised(folder / ".postgres")
    with developing(port, folder, source=folder / "copy") as process:
        yield Developing(port, folder, process)


def test_edit_of_a_route_is_served(reloading: Developing) -> None:
    route = reloading.folder / "copy/app/api/index.py"

    route.write_text(route.read_text().replace('"documentation"', '"edited"'))

    assert until(lambda: "edited" in httpx2.get(f"{reloading.address}/").text)


def test_killed_developer_command_leaves_nothing_behind(reloading: Developing) -> None:
    postgres = reloading.postmaster
    long = {"X-Long": "x" * settings.MAX_HEAD_BYTES}
    assert httpx2.get(f"{reloading.address}/livez", headers=long).status_code == 431

    reloading.process.kill()
    reloading.process.wait()

    assert until(lambda: refuses(f"{reloading.address}/livez"))
    assert until(lambda: not Path(f"/proc/{postgres}").exists())


@dataclass
class Restarted(Developing):
    """In the background: README's session was pasted, Ctrl-C ended it, and it was started again."""

    answers: str
    code: int | None


@pytest.fixture(scope="module")
def restarted(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Restarted]:
    port, folder = free_port(), tmp_path_factory.mktemp("with spaces")  # as some folders are
    session = re.findall(r"```sh\n(API=.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    script = session[0].replace("8000", str(port))
    with developing(port, folder, "--no-reload", prefix=IN_BACKGROUND) as process:
        answers = subprocess.run(
            ["sh", "-eu", "-c", script], capture_output=True, text=True, check=True
        ).stdout
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):  # the test says that it did not end
            process.wait(20)
        code = process.returncode
    with developing(port, folder, "--no-reload") as process:
        yield Restarted(port, folder, process, answers, code)


def test_curl_session_works_when_pasted_and_its_post_survives_a_restart(
    restarted: Restarted,
) -> None:
    posts = httpx2.get(f"{restarted.address}/api/v1/posts").json()["items"]

    assert restarted.code == 130
    assert re.findall(r"HTTP/1.1 (\d+)", restarted.answers) == ["201", "200"]
    assert re.findall(r'etag: "(\d)"', restarted.answers) == ["1", "2"]
    assert [post["title"] for post in posts] == ["Hello again"]
    assert f"{restarted.address}/docs" in restarted.told()
    assert "Traceback" not in restarted.told()


def test_end_of_postgresql_ends_the_command_with_a_line(restarted: Restarted) -> None:
    os.kill(restarted.postmaster, signal.SIGKILL)

    assert restarted.process.wait(30) == 1
    assert refuses(f"{restarted.address}/livez")
    log = restarted.folder / ".postgres/postgres.log"
    line = f"app: PostgreSQL stopped (code 137): see {log}, and start again"
    assert restarted.told().splitlines()[-1] == line


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
    assert told.endswith(f"): choose another one, as in `app dev --port {port + 1}`\n")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_commands_reach_the_server_of_this_folder_whatever_its_port(
    tmp_path: Path, free_port: Callable[[], int], initialised: Callable[[Path], None]
) -> None:
    initialised(tmp_path / ".postgres")
    elsewhere = {"DATABASE_URL": "postgresql://me@127.0.0.1:1/app"}
    with run_postgres(tmp_path / ".postgres", port=free_port(), durable=False) as server:
        migrated = python_in(tmp_path, *APP, "db", "upgrade")
        users = python_in(tmp_path, *APP, "user", "list")
        seeded = python_in(tmp_path, *APP, "seed", "--size=2")
        explicit = python_in(tmp_path, *APP, "db", "current", **elsewhere)
        with psycopg.connect(server.url()) as here:  # another may run at the usual port
            tables = here.execute("SELECT to_regclass('users') IS NOT NULL").fetchone()

    assert (migrated.returncode, users.returncode, users.stderr) == (0, 0, "")
    assert (seeded.returncode, seeded.stderr[:12]) == (0, "app: 2 users")
    assert tables == (True,)
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
