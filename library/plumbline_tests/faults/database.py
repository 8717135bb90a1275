"""A PostgreSQL of the test's own: to be killed, stopped, paused, promoted.

The postmaster is our direct child, so that `wait` reaps it. As a grandchild it would stay a zombie
after a kill, and the next postmaster would take its pid for that of a running server.

kill -9 never tests fsync: what a killed process wrote survives in the page cache.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg

from plumbline.db.embedded import DATABASE, LOCAL_ONLY, PASSWORD, binary, run_postgres
from plumbline.db.migrate import Migrations
from plumbline.db.unprivileged import give_up_root, plain_environment
from plumbline_tests.faults.pids import children_of, send, state
from plumbline_tests.waiting import until

# However the test process ends, so does the child: prctl(2), PR_SET_PDEATHSIG.
ENDS_WITH_US = ("setpriv", "--pdeathsig=KILL")
# A backend that stands still does not see its postmaster die: our end of the pipe wakes it.
WAKE_AT_LAST = 'read -r _; kill -CONT "$@"'
# At each start after a kill PostgreSQL would sync 1300 files one by one.
QUICK_START = {"recovery_init_sync_method": "syncfs"}
START_SECONDS = 120
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
ADMINISTRATOR: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 5,
    "options": "-c default_transaction_read_only=off",
}


@dataclass
class Database:
    """`folder` is laid out as in plumbline/db/embedded.py; durable unless `settings` say not."""

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    _postmaster: subprocess.Popen[bytes] | None = None
    _waker: subprocess.Popen[bytes] | None = None

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def query(self, sql: str, *values: object, database: str = DATABASE) -> list[Any]:
        """The rows as tuples; commits by itself, and may write where others may only read."""
        with psycopg.connect(self.url(database), **ADMINISTRATOR) as db:
            cursor = db.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    async def configure(self, **settings: str) -> None:
        """Change settings without a restart, until `heal`."""
        for name, value in settings.items():
            self.query(f"ALTER SYSTEM SET {name} = '{value}'", database="postgres")
        await self._reload()

    async def end_sessions(self) -> None:
        """Of everybody but administrators; when it returns, each has said goodbye."""
        others = "FROM pg_stat_activity WHERE datname = 'app' AND backend_type = 'client backend'"
        self.query(f"SELECT pg_terminate_backend(pid) {others}", database="postgres")
        await until(lambda: not self.query(f"SELECT pid {others}", database="postgres"))

    async def start(self) -> None:
        """Start, and wait until it accepts connections."""
        assert not self.is_running
        self._pid_file.unlink(missing_ok=True)  # a killed one's: by now another may have its pid
        self._postmaster = self._spawn()
        await until(self._is_ready, START_SECONDS)

    async def kill(self, *, backends: bool = False) -> None:
        """SIGKILL the postmaster; its backends too, or they notice it and end by themselves."""
        postmaster, children = await self._halt()
        for pid in children if backends else []:
            send(pid, signal.SIGKILL)
        postmaster.kill()
        postmaster.wait()
        await until(lambda: not any(map(state, children)))

    async def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        assert self._postmaster
        children = children_of(self._postmaster.pid)
        self._postmaster.send_signal(STOP_SIGNALS[mode])
        await until(lambda: not self.is_running and not any(map(state, children)))

    async def pause(self) -> None:
        """SIGSTOP all its processes: connections stay, new ones are made, but nobody answers."""
        assert not self.is_paused
        postmaster, children = await self._halt()
        for pid in children:
            send(pid, signal.SIGSTOP)
        self._waker = _wake_at_last([*children, postmaster.pid])
        await until(lambda: all(state(pid) in {"T", ""} for pid in children))

    def resume(self) -> None:
        assert self._waker
        self._waker.communicate()
        self._waker = None

    @property
    def is_running(self) -> bool:
        return self._postmaster is not None and self._postmaster.poll() is None

    @property
    def is_paused(self) -> bool:
        return self._waker is not None

    async def heal(self) -> None:
        """Let it run as at first, whatever a test did to it."""
        if self.is_paused:
            self.resume()
        if not self.is_running:
            await self.start()
        self.query("ALTER SYSTEM RESET ALL", database="postgres")
        self.query(f"ALTER DATABASE {DATABASE} RESET ALL", database="postgres")
        await self._reload()

    async def remove(self) -> None:
        if self.is_paused:
            self.resume()
        if self.is_running:
            await self.stop("immediate")  # a killed one leaves its shared memory
        shutil.rmtree(self.folder)

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "data" / "postmaster.pid"

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = LOCAL_ONLY | QUICK_START | dict(self.settings) | {"port": str(self.port)}
        command = [*_as_owner(self.folder), *ENDS_WITH_US, str(binary("postgres"))]
        command += ["-D", str(self.folder / "data")]
        command += [f"-c{name}={value}" for name, value in options.items()]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=plain_environment(),
                start_new_session=True,  # Ctrl-C belongs to pytest
            )

    def _is_ready(self) -> bool:
        assert self.is_running, self.log.read_text()[-1000:]
        lines = self._pid_file.read_text().splitlines() if self._pid_file.exists() else []
        return "".join(lines[7:]).strip() == "ready"

    async def _reload(self) -> None:
        """New sessions have the new settings then, older ones at their next query."""
        loaded = self.query("SELECT pg_conf_load_time()", database="postgres")
        self.query("SELECT pg_reload_conf()", database="postgres")
        await until(lambda: self.query("SELECT pg_conf_load_time()", database="postgres") != loaded)

    async def _halt(self) -> tuple[subprocess.Popen[bytes], list[int]]:
        """Stop the postmaster, so that it makes no further children while we look at them."""
        postmaster = self._postmaster
        assert postmaster
        postmaster.send_signal(signal.SIGSTOP)
        await until(lambda: state(postmaster.pid) == "T")
        return postmaster, children_of(postmaster.pid)


def make_template(
    folder: Path, port: int, migrations: Migrations, fill: Callable[[str], None]
) -> None:
    """Migrate and fill once: copies start in a fraction of the time."""
    said: list[str] = []
    with run_postgres(folder, port=port, durable=False, say=said.append) as server:
        migrations.upgrade(server.url())
        fill(server.url())


def copy_database(template: Path, folder: Path, port: int, **settings: str) -> Database:
    """A database, not yet started, with what is in the template."""
    shutil.copytree(template / "data", folder / "data")
    return Database(folder, port, settings)


def _copy_as_replica(primary: Database, folder: Path, port: int) -> Database:
    """A standby, not yet started, that will stream from the primary."""
    folder.mkdir()
    command = [*_as_owner(folder), str(binary("pg_basebackup")), "-D", str(folder / "data")]
    command += ["--no-sync", "-R", "-X", "stream", "-c", "fast", "-d", primary.url("postgres")]
    subprocess.run(command, env=plain_environment(), check=True)
    return Database(folder, port)


@asynccontextmanager
async def running_replica(primary: Database, folder: Path, port: int) -> AsyncIterator[Database]:
    """A standby that streams from the primary; removed at the end."""
    made = _copy_as_replica(primary, folder, port)
    try:
        await made.start()
        yield made
    finally:
        await made.remove()


def _wake_at_last(pids: list[int]) -> subprocess.Popen[bytes]:
    command = ["/bin/sh", "-c", WAKE_AT_LAST, "wake", *map(str, pids)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _as_owner(folder: Path) -> list[str]:
    return [] if os.geteuid() else give_up_root(folder, binary("initdb"))
