"""docs/start.md, run from the first step to the last by who has the wheel of the library alone."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from plumbline.db.embedded import binary
from plumbline.template.libraries import wheel_of_this
from plumbline_tests.processes import until
from tests.deploy.files import ROOT, compose
from tests.deploy.image import build_image, run_image
from tests.deploy.postgres import Database, as_composed, run_step
from tests.new_service import MADE

PAGE = (ROOT / "docs/start.md").read_text()
STEPS = [
    part.partition("```sh\n")[2].partition("```")[0]
    for part in re.split(r"^## \d+\.", PAGE, flags=re.MULTILINE)[1:]
]
ASK = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000{}').status)"
PASSWORD = "seven green umbrellas sing"  # typed where `user create` asks
RUN = 5

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]


class Shell:
    """A terminal: the commands of a step, in the folder where the step before has left us."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        wheel = wheel_of_this(folder)
        assert wheel
        self.wheel = f"{wheel}[template]"
        uv = shutil.which("uv") or str(ROOT / ".tools/bin/uv")
        subprocess.run(
            [uv, "venv", "--seed", "--quiet", "-p", sys.executable, "tools"], cwd=folder, check=True
        )
        plain = {
            n: v
            for n, v in os.environ.items()
            if n not in {"PYTHONPATH", "DATABASE_URL", "ENV_FILE", "SECRETS_DIR"}
        }
        who = {
            f"GIT_{w}_{k}": v
            for w in ("AUTHOR", "COMMITTER")
            for k, v in (("NAME", "Ada"), ("EMAIL", "a@b.c"))
        }
        path = f"{folder}/tools/bin:{os.environ['PATH']}"
        self.environment = plain | who | {"PATH": path, "GIT_CONFIG_GLOBAL": os.devnull}

    def script(self, number: int) -> str:
        """A step as it is pasted here: the library is a file, and the port a free one."""
        script = STEPS[number - 1].replace("'plumbline-fastapi[template]'", shlex.quote(self.wheel))
        return script.replace("make run", f"make run port={self.port}").replace(
            ":8000", f":{self.port}"
        )

    def run(self, number: int) -> str:
        """What a step prints."""
        ended = subprocess.run(
            ["sh", "-euc", f"{self.script(number)}\necho\npwd"],
            check=False, cwd=self.folder, env=self.environment, capture_output=True, text=True,
        )  # fmt: skip
        assert ended.returncode == 0, (number, (ended.stdout + ended.stderr)[-3000:])
        printed = ended.stdout.splitlines()
        self.folder = Path(printed[-1])
        return "\n".join(printed[:-1])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Step 5, which stays."""
        ready = f"http://127.0.0.1:{self.port}/readyz"
        with subprocess.Popen(
            ["sh", "-euc", self.script(RUN)],
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
        ) as process:
            try:
                assert until(lambda: httpx2.get(ready).status_code == 200)
                yield
            finally:
                os.killpg(process.pid, signal.SIGINT)


def test_way_from_nothing_to_a_deployed_service(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    shell = Shell(tmp_path, free_port())
    for number in range(1, RUN):
        shell.run(number)
    with shell.running():
        books = json.loads(shell.run(6))["items"]

    assert len(books) == 3
    with TemporaryDirectory(dir="/var/tmp") as folder:
        _deploy(shell.folder, Path(folder), tmp_path / "db")
    assert _fails_with(shell, 10, "which is this version")


def _deploy(shop: Path, folder: Path, database: Path) -> None:
    """Steps 7 to 9: what Docker would do."""
    image = build_image(shop / "Dockerfile", folder)
    database.mkdir()
    with as_composed(shop, database) as made:
        for words in (
            compose()["migrate"]["command"],
            _words(8, "docker compose run --rm migrate"),
        ):
            code, said = run_step(image, made, *words, typed=f"{PASSWORD}\n")
            assert code == 0, said
        given = compose()["service"]["environment"]
        with run_image(image, made.app, made.socket, **given) as container:
            health = image.commands["HEALTHCHECK"]
            assert until(lambda: container.inside(*health).returncode == 0)
            answer = container.beside(sys.executable, "-c", ASK.format(f"/api/v1/{MADE}"))
        assert answer.stdout == "200\n", answer.stderr
        assert " books " in _backed_up(made, shop / "app.dump")


def _words(step: int, before: str) -> list[str]:
    """What stands behind these words in a line of a step."""
    [rest] = re.findall(rf"^{before} (.*)$", STEPS[step - 1], re.MULTILINE)
    return shlex.split(rest)


def _backed_up(database: Database, file: Path) -> str:
    """Step 9; gives what is in the dump."""
    *words, _ = _words(9, "docker compose exec -T postgres pg_dump")
    password = (database.owner.parent / "secrets/OWNER_PASSWORD").read_text()
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(database.port), "PGPASSWORD": password}
    with file.open("wb") as dump:
        subprocess.run([binary("pg_dump"), *words], stdout=dump, check=True, env=os.environ | where)
    listed = subprocess.run(
        [binary("pg_restore"), "--list", file], check=True, capture_output=True, text=True
    )
    return listed.stdout


def _fails_with(shell: Shell, number: int, words: str) -> bool:
    """There is no later version yet, and a change that is not committed would be told first."""
    subprocess.run(
        ["git", "stash", "--include-untracked", "--quiet"],
        cwd=shell.folder,
        env=shell.environment,
        check=True,
    )
    ended = subprocess.run(
        ["sh", "-euc", shell.script(number)],
        check=False,
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
    )
    return ended.returncode == 1 and words in ended.stderr
