"""The image: made of its Dockerfile in a bare Debian, and run as a container would be."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from plumbline_tests.processes import until
from tests.deploy.files import ROOT, compose, manifests
from tests.deploy.image import Container, Image, build_image, run_image
from tests.deploy.postgres import Database, as_composed, run_step

LIMIT_MIB = 350  # the whole root; debian:trixie-slim is 80 of it
COMPILERS = ("cc", "gcc", "as", "ld", "make", "pip", "pip3", "uv")
GIVEN = compose()["service"]["environment"]
ASK = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000{}').status)"

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """On the disk: a gigabyte."""
    with TemporaryDirectory(dir="/var/tmp") as folder:
        yield build_image(ROOT / "Dockerfile", Path(folder), BUILD_REVISION="1a2b3c4")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with as_composed(ROOT, tmp_path_factory.mktemp("db")) as made:
        yield made


@pytest.fixture(scope="module")
def container(image: Image, database: Database) -> Iterator[Container]:
    """CMD, after the migration."""
    code, said = run_step(image, database, *compose()["migrate"]["command"])
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


def test_metrics_name_the_build(container: Container) -> None:
    page = ASK.format("/metrics").replace(".status", ".read().decode()")
    told = container.beside(sys.executable, "-c", page).stdout

    assert re.findall(r'^service_build_info{.*revision="(.*?)"', told, re.MULTILINE) == ["1a2b3c4"]


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
