"""The README, word for word."""

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.postgres import ROOT
from tests.processes import IN_BACKGROUND, developing

README = (ROOT / "README.md").read_text()


@pytest.mark.timeout(240)
def test_curl_session_works_when_pasted_and_its_post_survives_a_restart(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    session = re.findall(r"```sh\n(API=.*?)```", README, re.DOTALL)
    script = session[0].replace("8000", str(port))

    with developing(port, tmp_path, "--no-reload", prefix=IN_BACKGROUND) as process:
        answers = subprocess.run(
            ["sh", "-eu", "-c", script], capture_output=True, text=True, check=True
        ).stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    with developing(port, tmp_path, "--no-reload"):
        posts = httpx2.get(f"http://127.0.0.1:{port}/api/v1/posts").json()["items"]

    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["201", "200"]
    assert re.findall(r'etag: "(\d)"', answers) == ["1", "2"]
    assert [post["title"] for post in posts] == ["Hello again"]
    told = (tmp_path / "log").read_text()
    assert f"http://127.0.0.1:{port}/docs" in told
    assert "Traceback" not in told


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
