"""What a running server promises."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from plumbline.db import embedded
from plumbline.db.embedded import run_postgres
from plumbline.errors import OperatorError
from plumbline_tests.db.embedded.driver import (
    PORT,
    is_alive,
    is_free,
    listener,
    postmaster,
    query,
    setting,
    start,
    wait_until,
)


def test_data_survives_a_restart(folder: Path) -> None:
    with start(folder) as server:
        query(server, "DROP TABLE IF EXISTS survivor")
        query(server, "CREATE TABLE survivor AS SELECT 43 AS number")

    with start(folder) as server:
        assert query(server, "SELECT number FROM survivor") == 43


def test_database_app_is_there_again_after_it_was_dropped(folder: Path) -> None:
    with start(folder) as server:
        query(server, "DROP DATABASE app")

    with start(folder) as server:
        assert server.url() == f"postgresql://postgres:postgres@127.0.0.1:{server.port}/app"
        assert query(server, "SHOW server_encoding", "app") == "UTF8"


def test_wrong_password_is_refused(folder: Path) -> None:
    with start(folder) as server, pytest.raises(psycopg.OperationalError, match="authentication"):
        psycopg.connect(server.url().replace(":postgres@", ":wrong@"))


def test_commits_are_durable_unless_asked_otherwise(folder: Path) -> None:
    names = ["fsync", "synchronous_commit", "full_page_writes"]

    with run_postgres(folder, port=PORT) as server:
        durable = [setting(server, name) for name in names]
    with run_postgres(folder, port=PORT, durable=False) as server:
        fast = [setting(server, name) for name in names]

    assert (durable, fast) == (["on"] * 3, ["off"] * 3)


def test_settings_hold_for_one_run_and_change_no_file(folder: Path) -> None:
    files = [folder / "data" / f"postgresql{kind}.conf" for kind in ("", ".auto")]
    before = [file.read_text() for file in files]

    with start(folder, max_connections="17") as server:
        changed = setting(server, "max_connections")
    with start(folder) as server:
        default = setting(server, "max_connections")

    assert (changed, default) == ("17", "100")
    assert [file.read_text() for file in files] == before


def test_only_this_machine_reaches_the_server_and_only_by_tcp(folder: Path) -> None:
    with start(folder) as server, socket.socket() as probe:
        refused = probe.connect_ex(("127.0.0.2", server.port))  # as from outside
        sockets = setting(server, "unix_socket_directories")

    assert refused
    assert sockets == ""


def test_server_is_gone_when_the_block_ends_though_a_client_is_in_a_transaction(
    folder: Path,
) -> None:
    with start(folder) as server:
        client = psycopg.connect(server.url())
        client.execute("SELECT 1")
        pid = postmaster(folder)

    assert not is_alive(pid)
    assert is_free(server.port)
    client.close()


def test_server_stops_at_once_though_a_forked_child_holds_our_end_of_the_pipe(
    folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LAST_RESORTS", ((5.0, signal.SIGQUIT), (1.0, signal.SIGKILL)))
    with start(folder, said.append) as server:
        assert server.process.stdin
        held = os.dup(server.process.stdin.fileno())

    os.close(held)
    assert not any("does not stop" in message for message in said)


def test_server_that_does_not_stop_is_killed(
    folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LAST_RESORTS", ((0.1, signal.SIGQUIT), (0.1, signal.SIGKILL)))
    with start(folder, said.append):
        pid = postmaster(folder)
        os.kill(pid, signal.SIGSTOP)

    wait_until(lambda: not is_alive(pid))
    complaints = [message for message in said if "does not stop" in message]
    assert [message.split()[-1] for message in complaints] == ["SIGQUIT", "SIGKILL"]


def test_programs_of_postgresql_can_be_found() -> None:
    done = subprocess.run(
        [embedded.binary("pg_dump"), "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("pg_dump (PostgreSQL) 18")


def test_next_free_port_is_taken_and_said(folder: Path, said: list[str]) -> None:
    with listener(PORT), listener(PORT + 1), start(folder, said.append) as server:
        assert PORT + 1 < server.port < 32768
        assert query(server, "SELECT number FROM kept") == 42

    assert said == [f"port {PORT} is taken: PostgreSQL listens on {server.port}"]


def test_two_servers_started_at_once_get_two_ports(folder: Path, new_folder: Path) -> None:
    shutil.copytree(folder, new_folder)
    started, ports = threading.Barrier(2), set()

    def serve(data_dir: Path) -> None:
        with start(data_dir) as server:
            started.wait(10)
            ports.add(setting(server, "port"))

    threads = [threading.Thread(target=serve, args=[data_dir]) for data_dir in (folder, new_folder)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(ports) == 2


def test_ports_for_outgoing_connections_are_not_taken(folder: Path) -> None:
    with (
        listener(32767),
        pytest.raises(OperatorError, match="no port from 32767 on is free"),
        run_postgres(folder, port=32767),
    ):
        pass
