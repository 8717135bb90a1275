"""The image: made of its Dockerfile in a bare Debian, and run as a container would be."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from plumbline.db.embedded import binary, run_postgres
from plumbline_tests.processes import until
from tests.deploy.files import ROOT, compose, manifests
from tests.deploy.image import Container, Image, build_image, run_image

LIMIT_MIB = 350  # the whole root; debian:trixie-slim is 80 of it
COMPILERS = ("cc", "gcc", "as", "ld", "make", "pip", "pip3", "uv")
GIVEN = compose()["service"]["environment"]
ASK = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000{}').status)"

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Database:
    """`owner` and `app` are folders with the secret that leads to it as that role."""

    socket: Path
    owner: Path
    app: Path


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """On the disk: a gigabyte."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        yield build_image(ROOT / "Dockerfile", Path(folder))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Empty, as compose.yaml makes one: with the secrets and the role that its scripts make."""
    folder = tmp_path_factory.mktemp("db")
    secrets = _secrets(folder)
    socket = folder / "socket"
    for each in (*folder.parents, folder):
        each.chmod(each.stat().st_mode | 0o755)
    socket.mkdir(mode=0o777)
    socket.chmod(0o777)
    where = {"unix_socket_directories": str(socket), "port": "5432"}
    with run_postgres(folder / "data", settings=where, say=print) as server:
        with psycopg.connect(server.url(), autocommit=True) as db:
            password = (secrets / "OWNER_PASSWORD").read_text()
            db.execute(f"CREATE ROLE owner SUPERUSER LOGIN PASSWORD '{password}'")
        _make_role(server.port, secrets)
        yield Database(socket, *(_secret(secrets, name) for name in ("OWNER", "APP")))


def _secrets(folder: Path) -> Path:
    script = folder / "make_secrets.sh"
    script.write_bytes((ROOT / "deploy/make_secrets.sh").read_bytes())
    subprocess.run(["sh", script], check=True)
    return folder / "secrets"


def _make_role(port: int, secrets: Path) -> None:
    """As the image of PostgreSQL does, when the database is new."""
    variables = {
        "PATH": f"{binary('psql').parent}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGPASSWORD": (secrets / "OWNER_PASSWORD").read_text(),
        "POSTGRES_USER": compose()["postgres"]["environment"]["POSTGRES_USER"],
        "POSTGRES_DB": compose()["postgres"]["environment"]["POSTGRES_DB"],
        "SECRETS": str(secrets),
    }
    for script in sorted((ROOT / "deploy/postgres").iterdir()):
        subprocess.run(["sh", script], check=True, env=variables)


def _secret(secrets: Path, name: str) -> Path:
    """As it is mounted: in a folder of its own, called DATABASE_URL; by the socket."""
    url = (secrets / f"{name}_URL").read_text()
    mounted = secrets.parent / name.lower()
    mounted.mkdir()
    at = "@postgres:5432/app"
    assert url.endswith(at)
    (mounted / "DATABASE_URL").write_text(url.replace(at, "@/app?host=/run/postgresql"))
    return mounted


def run(image: Image, database: Database, *arguments: str) -> tuple[int, str]:
    """A step of its own, by the role that owns the tables."""
    role = compose()["migrate"]["environment"]
    with run_image(image, database.owner, database.socket, *arguments, **role) as container:
        assert container.process.stdout
        said = container.process.stdout.read().decode()
        return container.process.wait(), said


@pytest.fixture(scope="module")
def container(image: Image, database: Database) -> Iterator[Container]:
    """CMD, after the migration."""
    code, said = run(image, database, *compose()["migrate"]["command"])
    assert code == 0, said
    with run_image(image, database.app, database.socket, **GIVEN) as running:
        assert until(lambda: _is_healthy(running)), running.process.poll()
        yield running


def _is_healthy(container: Container) -> bool:
    return container.inside(*container.image.commands["HEALTHCHECK"]).returncode == 0


def test_image_is_small_and_cannot_compile(image: Image) -> None:
    used = subprocess.run(["du", "-sm", image.root], check=True, capture_output=True, text=True)
    programs = {
        file.name for name in ("usr/bin", "service/bin") for file in (image.root / name).iterdir()
    }

    assert int(used.stdout.split()[0]) < LIMIT_MIB
    assert programs & set(COMPILERS) == set()
    assert not list(image.root.glob("service/lib/*/site-packages/pip"))


def test_image_has_no_secret_and_nothing_of_the_tests(image: Image) -> None:
    assert list(image.root.glob("srv/*")) == []
    assert not (image.root / "build").exists()
    assert list(image.root.glob("service/lib/*/site-packages/tests")) == []


def test_container_serves_as_its_user(container: Container) -> None:
    status = Path(f"/proc/{container.pid}/status").read_text()

    assert re.search(r"^Uid:\s+10001\s+10001\s+10001", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert _is_healthy(container)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs"])
def test_container_answers(container: Container, path: str) -> None:
    answer = container.beside(sys.executable, "-c", ASK.format(path))

    assert answer.stdout == "200\n", answer.stderr


@pytest.mark.parametrize("path", ["/srv/x", "/service/x", "/x", "/etc/x", "/run/secrets/x"])
def test_container_can_write_nowhere_but_into_its_memory(container: Container, path: str) -> None:
    assert container.inside("touch", path).returncode != 0
    assert container.inside("touch", "/tmp/x").returncode == 0


def test_container_cannot_change_what_is_on_record(container: Container) -> None:
    program = "import os, psycopg; psycopg.connect(open('/run/secrets/DATABASE_URL').read())"
    program += ".execute('DELETE FROM audit_events')"

    refused = container.inside("python3", "-c", program)

    assert "permission denied" in refused.stderr


def test_workers_count_their_requests_in_the_memory(image: Image, database: Database) -> None:
    arguments = [*image.commands["CMD"], "--workers", "2"]
    with run_image(image, database.app, database.socket, *arguments, **GIVEN) as running:
        assert until(lambda: _is_healthy(running))
        answer = running.beside(sys.executable, "-c", ASK.format("/metrics"))

    assert answer.stdout == "200\n", answer.stderr


def test_container_stops_by_itself(image: Image, database: Database) -> None:
    with run_image(image, database.app, database.socket, **GIVEN) as running:
        assert until(lambda: _is_healthy(running))
        os.kill(running.pid, signal.SIGTERM)
        code = running.process.wait(timeout=60)

    assert code == 0


def test_container_without_its_secret_says_what_is_wrong(
    image: Image, database: Database, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    with run_image(image, tmp_path, database.socket, **GIVEN) as running:
        assert running.process.stdout
        said = running.process.stdout.read().decode()

    assert "DATABASE_URL: has the password that everybody knows; set another one" in said


def test_settings_of_kubernetes_start_the_image(image: Image, database: Database) -> None:
    given = manifests()["ConfigMap"]["data"]
    with run_image(image, database.app, database.socket, **given) as running:
        assert until(lambda: _is_healthy(running))
