"""The template: files of the service, and those that differ in a project of its own.

In a checkout the service is the repository itself; a wheel has a copy of what template.toml names.
"""

import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

DISTRIBUTION = "plumbline-fastapi"
HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]


@dataclass(frozen=True)
class Template:
    """One version of the template.

    `service` has the files that are copied as they are, `overlay` those of a project of its own;
    `lines` are the lines of the copied ones that name the service, as template.toml has them;
    `without_posts` is what a project without the example does not have, and `optional` has patterns
    of the files that an answer leaves out, by its name.
    """

    version: str
    service: dict[str, bytes]
    overlay: dict[str, bytes]
    lines: list[dict[str, str]]
    without_posts: dict[str, Any]
    optional: dict[str, list[str]]


def installed_template() -> Template:
    """The template of the library that runs."""
    return _template(version(DISTRIBUTION), HERE)


def packed_template(wheel: Path) -> Template:
    """The template in a wheel of the library."""
    with zipfile.ZipFile(wheel) as packed:
        folder = zipfile.Path(packed, "plumbline/template/")
        return _template(wheel.name.split("-")[1], folder)


def unpacked(number: str, folder: Path) -> Template:
    """The template of the library that is installed in `folder`."""
    return _template(number, folder / "plumbline/template")


def _template(number: str, folder: Traversable) -> Template:
    described = tomllib.loads(folder.joinpath("template.toml").read_text(encoding="utf-8"))
    copied = folder.joinpath("service")
    service = dict(_files(copied)) if copied.is_dir() else dict(_checked_out(described))
    overlay = dict(_files(folder.joinpath("overlay")))
    without_posts, optional = described["without_posts"], described.get("optional", {})
    return Template(number, service, overlay, described["lines"], without_posts, optional)


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for each in folder.iterdir():
        path = f"{prefix}{each.name}"
        if each.name == "__pycache__":  # pip compiles what it installs
            continue
        if each.is_dir():
            yield from _files(each, f"{path}/")
        else:
            yield path, each.read_bytes()


def _checked_out(described: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for pattern in described["files"]:
        for file in sorted(CHECKOUT.glob(pattern)):
            yield file.relative_to(CHECKOUT).as_posix(), file.read_bytes()
