"""PgBouncer in transaction mode, which may be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from plumbline.db.embedded import DATABASE, PASSWORD
from plumbline.db.unprivileged import NOBODY, plain_environment
from plumbline_tests.faults.database import ENDS_WITH_US
from plumbline_tests.waiting import until
from plumbline_tests.warm import ROOT

SERVER_CONNECTIONS = 20
CLIENTS = 2000
# By version: from 1.21 on it keeps statements prepared. `make cluster` builds the newer one.
PROGRAMS = {
    "1.18": ("pgbouncer", "/usr/sbin"),
    "1.24": ("pgbouncer", str(ROOT / ".tools/pgbouncer")),
}
INI = f"""[databases]
* = host=127.0.0.1 port={{server}} user=postgres password={PASSWORD}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {{port}}
auth_type = any
pool_mode = {{mode}}
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = {CLIENTS}
server_login_retry = 1
unix_socket_dir =
"""
TRACKS = "max_prepared_statements = 200\n"
# As some set it, so that any client may connect: what it says is lost then.
IGNORES = (
    "ignore_startup_parameters = statement_timeout, lock_timeout, "
    "idle_in_transaction_session_timeout, client_connection_check_interval\n"
)


class Pooler:
    """In front of a server's port; `kind` is one of PROGRAMS."""

    def __init__(
        self, kind: str, folder: Path, port: int, server_port: int, mode: str, more: str
    ) -> None:
        self.port = port
        program, path = PROGRAMS[kind]
        found = shutil.which(program, path=path)
        assert found, f"no PgBouncer {kind}: run `make cluster`"
        self._file, self._log = folder / f"{port}.ini", folder / f"{port}.log"
        text = INI.format(server=server_port, port=port, mode=mode)
        self._file.write_text(text + (TRACKS if kind == "1.24" else "") + more)
        # Where it is another user may not get at it, such as below /root.
        own = shutil.copy(found, folder / program)
        self._command = [*ENDS_WITH_US, str(own), "-q", str(self._file)]
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Start, and wait until it listens."""
        self._spawn()
        await until(self._listens)

    def _spawn(self) -> None:
        with self._log.open("ab") as said:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                user=NOBODY if os.getuid() == 0 else None,
                env=plain_environment(),
                cwd="/",
                start_new_session=True,
            )

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """All its connections are gone then, in the middle of whatever they did."""
        if self._process is not None:
            self._process.send_signal(number)
            await until(lambda: self._process is None or self._process.poll() is not None)

    def _listens(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self._log.read_text()[-1000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@asynccontextmanager
async def run_pooler(
    kind: str, port: int, server_port: int, mode: str = "transaction", more: str = ""
) -> AsyncIterator[Pooler]:
    """It does not run as root, so it has a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - where Path would be async
        pooler = Pooler(kind, Path(folder), port, server_port, mode, more)
        await pooler.start()
        try:
            yield pooler
        finally:
            await pooler.end()
