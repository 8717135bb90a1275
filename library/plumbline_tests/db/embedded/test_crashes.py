"""Killed servers, killed parents, interrupted starts."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from plumbline.db import embedded
from plumbline.db.embedded import run_postgres
from plumbline.errors import OperatorError
from plumbline_tests.db.embedded.driver import (
    PORT,
    SERVE,
    is_alive,
    is_free,
    postmaster,
    python,
    query,
    ready_url,
    start,
    wait_until,
)


def test_killed_process_leaves_no_server_behind(folder: Path) -> None:
    with python(SERVE, folder, PORT, 60, prefix=[]) as process:
        url, pid = ready_url(process), postmaster(folder)
        with contextlib.closing(psycopg.connect(url)) as client:
            client.execute("SELECT 1")  # a plain shutdown would wait for this client for ever

            process.kill()

            wait_until(lambda: not is_alive(pid))
            assert is_free(client.info.port)


def test_interrupted_start_leaves_no_server_behind(
    folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(20))

    def interrupt(*_: object) -> bool:
        time.sleep(next(moments) / 1000)
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "_is_ready", interrupt)
    monkeypatch.setattr(embedded, "LAST_RESORTS", ((3.0, signal.SIGKILL),))

    for _ in range(20):
        with pytest.raises(KeyboardInterrupt), start(folder, said.append):
            pass

    assert said == []


def test_end_of_the_server_is_the_end_of_its_guards_who_tell_its_status(folder: Path) -> None:
    with start(folder) as server:
        os.kill(postmaster(folder), signal.SIGKILL)

        assert server.process.wait(5) == 128 + signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            os.killpg(server.process.pid, 0)


def test_start_after_the_server_was_killed_recovers_at_once_and_completely(folder: Path) -> None:
    with run_postgres(folder, port=PORT) as server:
        busy = psycopg.connect(server.url())
        query(server, "CREATE TABLE committed AS SELECT 44 AS number")
        os.kill(postmaster(folder), signal.SIGKILL)

    with busy, run_postgres(folder, port=PORT) as server:
        assert query(server, "SELECT number FROM committed") == 44


def test_start_after_a_kill_in_the_middle_of_the_first_start_begins_anew(new_folder: Path) -> None:
    with python(SERVE, new_folder, PORT, 60, prefix=[]) as process:
        wait_until((new_folder / "data.new" / "PG_VERSION").exists)
        process.kill()
    assert not (new_folder / "data").exists()

    with start(new_folder) as server:
        assert query(server, "SELECT 1") == 1
    assert not (new_folder / "data.new").exists()


def test_pid_file_of_a_dead_server_is_no_obstacle_though_another_process_has_its_pid(
    folder: Path,
) -> None:
    owner = folder.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner) as other:
        lines = [other.pid, folder / "data", 1, PORT, "", "127.0.0.1", " 1 1", "ready"]
        pid_file = folder / "data" / "postmaster.pid"
        pid_file.write_text("\n".join(map(str, lines)))

        with start(folder) as server:
            assert query(server, "SELECT number FROM kept") == 42
        other.kill()


def test_long_recovery_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.5)
    (folder / "data" / "recovery.signal").touch()

    with start(folder, restore_command="sleep 0.2; false", hot_standby="off") as server:
        assert query(server, "SELECT number FROM kept") == 42


def test_start_that_never_ends_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.1)
    monkeypatch.setattr(embedded, "GUARD", "echo asleep; read -r _")

    with pytest.raises(OperatorError, match="asleep"), start(folder):
        pass
