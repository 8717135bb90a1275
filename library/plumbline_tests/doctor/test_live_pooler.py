"""A real PgBouncer between: it is noticed, and its mode as far as can be told from outside."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from plumbline.db.unprivileged import NOBODY
from plumbline.doctor.configuration import Configuration
from plumbline.doctor.live.database import Unreachable
from plumbline.doctor.live.examination import examine
from plumbline.testing.cluster import Cluster
from plumbline_tests.doctor.databases import found, look, shop

INI = """[databases]
* = host=127.0.0.1 port={port} user=postgres password=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
auth_type = any
pool_mode = {mode}
unix_socket_dir =
"""


@contextmanager
def pgbouncer(url: str, listen: int, mode: str) -> Iterator[str]:
    """Debian's, between a client and the server of `url`; gives the URL through it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    assert program, "this test of the large run needs PgBouncer: apt install pgbouncer"
    server = make_url(url)
    through = server.set(host="127.0.0.1", port=listen).render_as_string(hide_password=False)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PgBouncer does not run as root
        file = Path(folder, "pgbouncer.ini")
        file.write_text(INI.format(port=server.port, listen=listen, mode=mode))
        user = NOBODY if os.getuid() == 0 else None
        with subprocess.Popen([program, "-q", str(file)], user=user, cwd="/") as process:
            try:
                yield _until_it_listens(process, through)
            finally:
                process.kill()


def _until_it_listens(process: subprocess.Popen[bytes], url: str) -> str:
    while process.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if "refused" in str(error):
                continue
        return url
    raise AssertionError("PgBouncer has ended")


@pytest.fixture(scope="module")
def database(postgres: Cluster) -> Iterator[str]:
    with shop(postgres) as url:
        yield url


@pytest.mark.torture
@pytest.mark.parametrize(
    ("mode", "codes", "words"),
    [
        ("transaction", ["PL705"], "in transaction mode"),
        ("session", [], "in session mode, as it seems"),
    ],
)
def test_pooler_is_noticed_with_its_mode(
    mode: str,
    codes: list[str],
    words: str,
    database: str,
    free_port: Callable[[], int],
) -> None:
    with pgbouncer(database, free_port(), mode) as url:
        assert [code for code, _ in found(url)] == codes
        assert look(url).looked_at.endswith(f", behind a pooler {words}")


@pytest.mark.torture
def test_pooler_in_statement_mode_is_one_line(database: str, free_port: Callable[[], int]) -> None:
    with (
        pgbouncer(database, free_port(), "statement") as url,
        pytest.raises(Unreachable, match="a pooler in statement mode is between"),
    ):
        examine(url, Configuration())


@pytest.mark.torture
def test_server_itself_is_no_pooler(database: str) -> None:
    assert "pooler" not in look(database).looked_at
