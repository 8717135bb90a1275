"""What a project says of its versions and drivers: lock files, requirements, pyproject.toml."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from plumbline.doctor.project import Project
from plumbline.doctor.templates import readings

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([^;#]*)")
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
Version = tuple[int, ...]
AFTER_EXIT, BEFORE_EXIT = (0, 118), (0, 106)  # of FastAPI, when the response is sent


@dataclass(frozen=True)
class Versions:
    """`fastapi` is None where nothing bounds it, and then it is taken for the newest."""

    fastapi: Version | None
    source: str = ""

    @property
    def answers_after_exit(self) -> bool:
        """Whether the response is sent before the code behind a dependency's yield runs."""
        return self.fastapi is None or not BEFORE_EXIT <= self.fastapi < AFTER_EXIT

    @property
    def about(self) -> str:
        if self.fastapi is None:
            return ""
        return f" (FastAPI {'.'.join(map(str, self.fastapi))}, {self.source})"


def versions(project: Project, path: str) -> Versions:
    """As the lock file nearest to `path` says, or the nearest requirements."""
    known = project.remember(_versions)
    above = [each for each in known if path.startswith(each.source.rpartition("/")[0])]
    return max(above or known, key=lambda each: len(each.source.split("/")), default=Versions(None))


def _versions(project: Project) -> list[Versions]:
    locked = [
        Versions(version, path) for path, name, version in _locked(project) if name == "fastapi"
    ]
    return locked or [
        Versions(bound, path)
        for path, name, specifier in project.remember(requirements)
        if name == "fastapi" and (bound := newest_allowed(specifier)) is not None
    ]


def _locked(project: Project) -> Iterator[tuple[str, str, Version]]:
    for path in project.files:
        if path.rpartition("/")[2] in _LOCKS:
            for package in _toml(project, path).get("package", []):
                yield (
                    path,
                    _plain(package.get("name", "")),
                    read_version(package.get("version", "")),
                )


def _toml(project: Project, path: str) -> dict[str, Any]:
    source = (project.root / path).read_bytes()
    for each in [source, *(readings(source) if b"{%" in source or b"{{" in source else ())]:
        with suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
            return tomllib.loads(each.decode())
    return {}


def requirements(project: Project) -> list[tuple[str, str, str]]:
    """File, name and specifier of each requirement that a file of the project has."""
    return list(_requirements(project))


def _requirements(project: Project) -> Iterator[tuple[str, str, str]]:
    for path in project.files:
        name = path.rpartition("/")[2]
        if name == "pyproject.toml":
            yield from ((path, *each) for each in _of_pyproject(_toml(project, path)))
        elif re.fullmatch(r"[\w.-]*requirements[\w.-]*\.(txt|in)", name) or (
            "requirements/" in path and name.endswith((".txt", ".in"))
        ):
            for line in (project.root / path).read_text(errors="replace").splitlines():
                found = _REQUIREMENT.match(line)
                if found:
                    yield path, _plain(found[1]), found[2].strip().rstrip("\\").strip()


def _of_pyproject(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    project = data.get("project", {})
    groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    groups += [*data.get("dependency-groups", {}).values()]
    for line in [line for group in groups for line in group if isinstance(line, str)]:
        found = _REQUIREMENT.match(line)
        if found:
            yield _plain(found[1]), found[2].strip()
    poetry = data.get("tool", {}).get("poetry", {})
    tables = [poetry.get("dependencies", {})]
    tables += [group.get("dependencies", {}) for group in poetry.get("group", {}).values()]
    for name, value in [pair for table in tables for pair in table.items()]:
        written = value.get("version", "") if isinstance(value, dict) else value
        yield _plain(name), str(written)


def newest_allowed(specifier: str) -> Version | None:
    """The newest minor version that a specifier takes; None where it has no upper bound."""
    found = re.search(r"(===?|~=|<=|<|\^|~)\s*([\d.]+)(\.\*)?", specifier)
    if found is None and re.fullmatch(r"[\d.]+", specifier):
        return read_version(specifier)
    if found is None:
        return None
    version = read_version(found[2])
    if found[1] == "<" and version:
        return (*version[:-1], version[-1] - 1) if version[-1] else (version[0], 0)
    if found[1] == "~=" and len(version) == 2:  # noqa: PLR2004 - ~=0.115 takes any 0.x
        return None
    return version


def read_version(text: str) -> Version:
    """The first three numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
