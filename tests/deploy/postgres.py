"""PostgreSQL as compose.yaml makes it, without Docker: by the same scripts, at a Unix socket."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from plumbline.db.embedded import binary, run_postgres
from tests.deploy.files import compose
from tests.deploy.image import Image, run_image

AT = "@postgres:5432/app"  # as a container of Compose sees it


@dataclass(frozen=True)
class Database:
    """`owner` and `app` are folders with the secret that leads to it as that role."""

    socket: Path
    owner: Path
    app: Path
    port: int


@contextmanager
def as_composed(root: Path, folder: Path) -> Iterator[Database]:
    """An empty one, with the secrets and the role that the scripts of the project `root` make."""
    subprocess.run(["sh", _copied(root, folder)], check=True)
    secrets, socket = folder / "secrets", folder / "socket"
    for each in (*folder.parents, folder):
        each.chmod(each.stat().st_mode | 0o755)
    socket.mkdir()
    socket.chmod(0o777)
    where = {"unix_socket_directories": str(socket)}
    with run_postgres(folder / "data", port=15432, settings=where) as server:
        with psycopg.connect(server.url(), autocommit=True) as db:
            password = (secrets / "OWNER_PASSWORD").read_text()
            db.execute(f"CREATE ROLE owner SUPERUSER LOGIN PASSWORD '{password}'".encode())
        _make_role(root, server.port, secrets)
        (socket / ".s.PGSQL.5432").symlink_to(f".s.PGSQL.{server.port}")  # the usual port is taken
        owner, app = (_secret(secrets, name) for name in ("OWNER", "APP"))
        yield Database(socket, owner, app, server.port)


def _copied(root: Path, folder: Path) -> Path:
    script = folder / "make_secrets.sh"
    script.write_bytes((root / "deploy/make_secrets.sh").read_bytes())
    return script


def _make_role(root: Path, port: int, secrets: Path) -> None:
    """As the image of PostgreSQL does, when the database is new."""
    variables = {
        "PATH": f"{binary('psql').parent}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGPASSWORD": (secrets / "OWNER_PASSWORD").read_text(),
        "POSTGRES_USER": compose()["postgres"]["environment"]["POSTGRES_USER"],
        "POSTGRES_DB": compose()["postgres"]["environment"]["POSTGRES_DB"],
        "SECRETS": str(secrets),
    }
    for script in sorted((root / "deploy/postgres").iterdir()):
        subprocess.run(["sh", script], check=True, env=variables)


def _secret(secrets: Path, name: str) -> Path:
    """As it is mounted: in a folder of its own, called DATABASE_URL; by the socket."""
    url = (secrets / f"{name}_URL").read_text()
    mounted = secrets.parent / name.lower()
    mounted.mkdir()
    assert url.endswith(AT)
    (mounted / "DATABASE_URL").write_text(url.replace(AT, "@/app?host=/run/postgresql"))
    return mounted


def run_step(image: Image, database: Database, *arguments: str, typed: str = "") -> tuple[int, str]:
    """A step of its own, by the role that owns the tables; its status, and what it said."""
    role = compose()["migrate"]["environment"]
    with run_image(image, database.owner, database.socket, *arguments, **role) as container:
        said, _ = container.process.communicate(typed.encode())
        return container.process.returncode, said.decode()
