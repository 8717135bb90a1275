"""Somebody else's test suite, at the version that is locked: pip downloads it, pytest runs it."""

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from tests.postgres import ROOT

End = Literal["PASSED", "FAILED", "ERROR"]
Ends = dict[End, set[str]]

_RESULT = re.compile(r"^(?:SUB)?(PASSED|FAILED|ERROR)(?:\([^)]*\))? \S+?::(\S+)", re.MULTILINE)
_WITHOUT = ("cacheprovider", "asyncio", "anyio", "xdist")


def download(name: str, folder: Path) -> Path:
    """Unpack the source of the version that we use; returns its folder."""
    pip("download", "--no-deps", "--no-binary", name, "-d", str(folder), f"{name}=={version(name)}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def pip(*arguments: str) -> None:
    base = Path(sys.base_prefix) / "bin" / "python3"  # the environment has no pip
    command = [str(base), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True)


def run(folder: Path, *arguments: str, paths: tuple[Path, ...] = (), **variables: str) -> Ends:
    """Run what `arguments` name in `folder`; the names of its tests, by their end."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=no", "--timeout=120", *arguments]
    for plugin in _WITHOUT:
        command += ["-p", f"no:{plugin}"]
    found_in = os.pathsep.join(map(str, [*paths, ROOT]))
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables | {"PYTHONPATH": found_in},
        capture_output=True,
        text=True,
        check=False,
    )
    found: Ends = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
    for end, name in _RESULT.findall(ended.stdout):
        found[end].add(name)
    assert found["PASSED"], ended.stdout[-3000:] + ended.stderr[-3000:]
    return found
