"""Whose process a server is, and whose files."""

import os
from pathlib import Path

import pytest

from plumbline.db import embedded
from plumbline_tests.db.embedded.driver import (
    AS_NOBODY,
    AS_ROOT_IN_DOCKER,
    PORT,
    REACHES_PROGRAMS,
    SERVE,
    UNNAMED,
    owner_and_mode,
    postmaster,
    python,
    query,
    ready_url,
    start,
)


def test_server_runs_as_the_owner_of_its_folder_and_never_as_root(folder: Path) -> None:
    with start(folder):
        user = Path(f"/proc/{postmaster(folder)}").stat().st_uid

    assert 0 != user == folder.stat().st_uid == (folder / "data" / "base").stat().st_uid


def test_root_works_for_the_present_owner_of_the_folder(folder: Path) -> None:
    owner = UNNAMED if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, owner, -1)
    os.chown(folder / "data" / "base", os.geteuid(), -1)  # as when root restored a copy

    with start(folder) as server:
        assert Path(f"/proc/{postmaster(folder)}").stat().st_uid == owner
        assert query(server, "SELECT number FROM kept") == 42
    assert {path.stat().st_uid for path in folder.rglob("*")} == {owner}


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param([*AS_NOBODY, REACHES_PROGRAMS], id="user", marks=pytest.mark.torture),
        pytest.param(AS_ROOT_IN_DOCKER, id="docker's root"),
    ],
)
def test_first_start_changes_nothing_outside_its_folder_and_works_as(
    new_folder: Path, monkeypatch: pytest.MonkeyPatch, prefix: list[str]
) -> None:
    outside = [*new_folder.parents, *embedded.binary("x").parents]
    before = [owner_and_mode(path) for path in outside]
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    with python(SERVE, new_folder, PORT, 0, prefix=prefix) as process:
        ready_url(process)
        assert process.wait(10) == 0

    assert [owner_and_mode(path) for path in outside] == before
    assert not (new_folder / "data" / "postmaster.pid").exists()
    assert "\ntimezone = UTC\n" in (new_folder / "data" / "postgresql.conf").read_text()
