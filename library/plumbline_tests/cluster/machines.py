"""Three servers under Patroni, with etcd and HAProxy, all on this machine.

Each process is our child and ends with us. Patroni and PostgreSQL run as the user `postgres`.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from plumbline.db.embedded import DATABASE, PASSWORD
from plumbline.db.unprivileged import plain_environment
from plumbline_tests.faults.database import ENDS_WITH_US, Database

RUNNING = {"running", "streaming"}
LOOK_SECONDS = 0.2
PROGRAMS = ("patroni", "etcd", "haproxy")
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
# The least that Patroni takes: a leader that says nothing for so long has lost its place.
TTL_SECONDS = 20

# What every member begins with; kept in etcd. A commit waits for a standby, or does not happen.
DYNAMIC: dict[str, Any] = {
    "ttl": TTL_SECONDS,
    "loop_wait": 1,
    "retry_timeout": 3,
    "synchronous_mode": True,
    "synchronous_mode_strict": True,
    "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": 100}},
}
BALANCER = """
global
  maxconn 500
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
listen primary
  bind 127.0.0.1:{port}
  option httpchk GET /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""


class Member:
    """Patroni and its PostgreSQL, which may be killed and started again."""

    def __init__(self, name: str, folder: Path, ports: Sequence[int], etcd: int) -> None:
        self.name = name
        self.port, self.rest = ports
        self.folder = folder
        self.database = Database(folder, self.port)
        self._patroni: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        shutil.chown(folder, "postgres", "postgres")
        (folder / "patroni.yml").write_text(json.dumps(_configuration(self, etcd)))

    def start(self) -> None:
        command = [*AS_POSTGRES, *ENDS_WITH_US, "patroni", str(self.folder / "patroni.yml")]
        self._patroni = spawn(command, self.folder / "patroni.log")

    def kill(self) -> None:
        """As if the machine had lost its power: Patroni first, so that it notices nothing."""
        assert self._patroni
        self._patroni.kill()
        self._patroni.wait()
        with suppress(FileNotFoundError, ProcessLookupError):
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            os.kill(int(lines[0]), signal.SIGKILL)


@dataclass
class Cluster:
    members: Sequence[Member]
    balancer: int  # its port, which leads to the primary

    @property
    def url(self) -> str:
        """All of them, for DATABASE_URL and for DATABASE_READ_URL."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"postgresql://postgres:{PASSWORD}@{hosts}/{DATABASE}"

    @property
    def balanced_url(self) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.balancer}/{DATABASE}"

    async def until_whole(self) -> Member:
        """All run, and one of them confirms what the leader commits; gives the leader."""
        whole = sorted(["leader", "replica", "sync_standby"])
        while sorted((roles := await self._roles()).values()) != whole:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        return next(each for each in self.members if roles[each.name] == "leader")

    async def until_led_by_another(self, than: Member) -> None:
        others = {each.name for each in self.members} - {than.name}
        while not any([(await self._roles()).get(name) == "leader" for name in others]):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    async def _roles(self) -> dict[str, str]:
        """Of each member that runs, by its name; none where no Patroni answers."""
        for member in self.members:
            url = f"http://127.0.0.1:{member.rest}/cluster"
            with suppress(httpx2.TransportError):
                async with httpx2.AsyncClient(timeout=5) as client:
                    found = (await client.get(url)).json().get("members", ())
                return {each["name"]: each["role"] for each in found if each["state"] in RUNNING}
        return {}


@asynccontextmanager
async def run_cluster(free_port: Callable[[], int]) -> AsyncIterator[Cluster]:
    """Whole, with an empty database."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"{', '.join(missing)}: run `make cluster`, which installs them"
    folder = _new_folder()
    ports = [free_port() for _ in range(2)]
    others = [_start_etcd(folder, *ports)]
    members = [
        Member(f"db-{n}", folder / f"db-{n}", [free_port(), free_port()], ports[0])
        for n in range(1, 4)
    ]
    try:
        for member in members:
            member.start()
        balancer = free_port()
        others.append(_start_balancer(folder, balancer, members))
        cluster = Cluster(members, balancer)
        leader = await cluster.until_whole()
        leader.database.query(f"CREATE DATABASE {DATABASE}", database="postgres")
        yield cluster
    finally:
        for member in members:
            member.kill()
        for process in others:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="plumbline-cluster-"))
    folder.chmod(0o755)  # the user postgres has to pass it
    return folder


def _configuration(member: Member, etcd: int) -> dict[str, Any]:
    def user(name: str) -> dict[str, str]:
        return {"username": name, "password": PASSWORD}

    here = f"127.0.0.1:{member.port}"
    hosts = [f"host {database} all 127.0.0.1/32 scram-sha-256" for database in _FOR_ALL]
    return {
        "scope": "plumbline",
        "name": member.name,
        "restapi": {
            "listen": f"127.0.0.1:{member.rest}",
            "connect_address": f"127.0.0.1:{member.rest}",
        },
        "etcd3": {"host": f"127.0.0.1:{etcd}"},
        "bootstrap": {
            "dcs": DYNAMIC,
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": here,
            "connect_address": here,
            "data_dir": str(member.folder / "data"),
            "bin_dir": str(BINARIES[-1]),
            "pgpass": str(member.folder / "pgpass"),
            "authentication": {"superuser": user("postgres"), "replication": user("replicator")},
            "pg_hba": hosts,
            "parameters": {"unix_socket_directories": "", "password_encryption": "scram-sha-256"},
        },
    }


_FOR_ALL = ("all", "replication")


def _start_etcd(folder: Path, clients: int, peers: int) -> subprocess.Popen[bytes]:
    here, beside = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
    command = [*ENDS_WITH_US, "etcd", "--data-dir", str(folder / "etcd"), "--name", "one"]
    command += ["--listen-client-urls", here, "--advertise-client-urls", here]
    command += ["--listen-peer-urls", beside, "--initial-advertise-peer-urls", beside]
    command += ["--initial-cluster", f"one={beside}"]
    return spawn(command, folder / "etcd.log")


def _start_balancer(folder: Path, port: int, members: Sequence[Member]) -> subprocess.Popen[bytes]:
    lines = [
        f"  server {each.name} 127.0.0.1:{each.port} check port {each.rest}" for each in members
    ]
    file = folder / "haproxy.cfg"
    file.write_text(BALANCER.format(port=port, servers="\n".join(lines)))
    return spawn([*ENDS_WITH_US, "haproxy", "-db", "-f", str(file)], folder / "haproxy.log")


def spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as said:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=plain_environment(),
            cwd="/",
            start_new_session=True,  # Ctrl-C belongs to pytest
        )
