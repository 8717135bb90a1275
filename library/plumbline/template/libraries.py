"""The library itself: the file that a project keeps in `vendor/` until an index has it."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from plumbline.errors import OperatorError
from plumbline.template.source import DISTRIBUTION, HERE, Template, packed_template, unpacked


def wheel_of_this(folder: Path) -> Path | None:
    """The wheel of the library that runs, put into `folder`; None where an index has it.

    A folder of its sources is built, a wheel from which it was installed is copied. OperatorError
    where that is gone.
    """
    source = HERE.parents[1]
    if not (source / "pyproject.toml").exists():
        origin = distribution(DISTRIBUTION).read_text("direct_url.json")  # PEP 610
        if origin is None:
            return None
        source = _file_of(json.loads(origin)["url"])
    if source.is_file():
        shutil.copy(source, folder)
    else:
        places = [str(folder), str(source)]
        # By this interpreter: uv would look for another one, or download it.
        by_uv = ["build", "--quiet", "--wheel", f"--python={sys.executable}", "--out-dir", *places]
        _run(by_uv, ["wheel", "--quiet", "--no-deps", "--wheel-dir", *places])
    return next(folder.glob("*.whl"))


def _file_of(url: str) -> Path:
    parts = urlsplit(url)
    file = Path(url2pathname(parts.path))
    if parts.scheme != "file" or not file.exists():
        raise OperatorError(
            f"{DISTRIBUTION} was installed from {url}, and is not there any more: "
            "install it from an index, or from a wheel that stays where it is"
        )
    return file


def template_of(version: str, vendored: Path | None, folder: Path) -> Template:
    """The template of an earlier version: of its wheel, or of what an index has."""
    if vendored is not None:
        return packed_template(vendored)
    pinned = ["--quiet", "--no-deps", "--target", str(folder), f"{DISTRIBUTION}=={version}"]
    _run(["pip", "install", *pinned], ["install", *pinned])
    return unpacked(version, folder)


def _run(uv: list[str], pip: list[str]) -> None:
    """Run uv where it is, or else pip, with these arguments."""
    beside = Path(sys.prefix).parent / ".tools/bin"  # where `make setup` brings it
    path = os.pathsep.join([os.environ.get("PATH", ""), str(beside)])
    has_uv = shutil.which("uv", path=path)
    command = [has_uv, *uv] if has_uv else [sys.executable, "-m", "pip", *pip]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        raise OperatorError(f"`{' '.join(command)}` failed: {ended.stderr.strip()}")
