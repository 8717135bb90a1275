"""The README, word for word."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from app.core.config import settings
from tests.postgres import ROOT
from tests.processes import until

README = (ROOT / "README.md").read_text()


@contextmanager
def _developing(port: int, folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`make run`, at another port and in another folder."""
    command = [sys.executable, "-m", "app.cli", "dev", f"--port={port}", *options]
    environment = {name: os.environ[name] for name in os.environ if name != "DATABASE_URL"}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, f"--data-dir={folder / 'postgres'}"],
            env=environment | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            text=True,
            stderr=log,
        ) as process,
    ):
        assert until(lambda: httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200)
        yield process
        process.kill()


def _refuses(address: str) -> bool:
    try:
        httpx2.get(address)
    except httpx2.ConnectError:
        return True
    return False


def test_curl_session_works_when_pasted_and_its_post_survives_a_restart(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    session = re.findall(r"```sh\n(API=.*?)```", README, re.DOTALL)
    script = session[0].replace("8000", str(port))

    with _developing(port, tmp_path, "--no-reload") as process:
        answers = subprocess.run(
            ["sh", "-eu", "-c", script], capture_output=True, text=True, check=True
        ).stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    with _developing(port, tmp_path, "--no-reload"):
        posts = httpx2.get(f"http://127.0.0.1:{port}/api/v1/posts").json()["items"]

    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["201", "200"]
    assert re.findall(r'etag: "(\d)"', answers) == ["1", "2"]
    assert [post["title"] for post in posts] == ["Hello again"]
    told = (tmp_path / "log").read_text()
    assert f"http://127.0.0.1:{port}/docs" in told
    assert "Traceback" not in told


def test_killed_developer_command_leaves_nothing_behind(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()

    with _developing(port, tmp_path) as process:
        postgres = int((tmp_path / "postgres/data/postmaster.pid").read_text().split()[0])
        long = {"X-Long": "x" * settings.MAX_HEAD_BYTES}
        assert httpx2.get(f"http://127.0.0.1:{port}/livez", headers=long).status_code == 431
        process.kill()
        process.wait()

        assert until(lambda: _refuses(f"http://127.0.0.1:{port}/livez"))
        assert until(lambda: not Path(f"/proc/{postgres}").exists())


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", README))))
def test_make_targets_exist(target: str) -> None:
    found = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, check=False, capture_output=True
    )

    assert found.returncode == 0


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)[)#]", page.read_text()):
        assert (page.parent / link).exists(), link


def test_readme_is_short() -> None:
    assert README.count("\n") < 150
