"""The PostgreSQL of a run of tests: one that starts for it, or a given one.

A given URL must name a database with `test` as a word of its name. It is never written to: the
run makes databases beside it, whose names begin with its name and so carry the mark as well.
"""

import asyncio
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from plumbline.db.embedded import run_postgres
from plumbline.errors import OperatorError

MARK = "test"
MAX_NAME_LENGTH = 30  # PostgreSQL cuts names at 63, and ours are longer by what they are for


@dataclass
class Cluster:
    """`base` is the URL of a database that is there; what the run makes begins with `prefix`.

    The service's `loop` goes on while a database is dropped: PostgreSQL waits for all who are
    half connected, to whichever database, and some of them may be in it.
    """

    base: str
    prefix: str = ""
    loop: asyncio.AbstractEventLoop | None = None

    def url(self, name: str) -> str:
        """Of the run's database `name`, made or not."""
        url = make_url(self.base).set(database=self.prefix + name)
        return url.render_as_string(hide_password=False)

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of another of the run's; gives its URL."""
        self.drop(name)
        command = "CREATE DATABASE {} TEMPLATE {}"
        source = self.prefix + template if template else "template1"
        self._execute(command, self.prefix + name, source)
        return self.url(name)

    def drop(self, name: str) -> None:
        """Also where somebody is connected to it."""
        command = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
        if (loop := self._resting_loop()) is None:
            self._execute(command, self.prefix + name)
        else:
            dropping = asyncio.to_thread(self._execute, command, self.prefix + name)
            loop.run_until_complete(dropping)

    @contextmanager
    def clones(self, template: str) -> Iterator[Callable[[], str]]:
        """Make copies of a database of the run's; at the end they are dropped."""
        names: list[str] = []

        def make() -> str:
            names.append(f"{template}_clone_{len(names)}")
            return self.create(names[-1], template)

        try:
            yield make
        finally:
            for name in names:
                self.drop(name)

    def connect(self) -> psycopg.Connection:
        """To the database of `base`, for commands about others."""
        url = make_url(self.base).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def _resting_loop(self) -> asyncio.AbstractEventLoop | None:
        """The service's, where it can be run here and now."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loop = self.loop
            return None if loop is None or loop.is_running() or loop.is_closed() else loop
        return None

    def _execute(self, command: LiteralString, *names: str) -> None:
        with self.connect() as admin:
            admin.execute(sql.SQL(command).format(*map(sql.Identifier, names)))


def refuse_unmarked(url: str) -> None:
    """OperatorError unless the name of the database says that it may be thrown away."""
    try:
        name = make_url(url).database or ""
    except ArgumentError:
        raise OperatorError("the URL of the database for tests is not one") from None
    if MARK not in re.split(r"[^a-z0-9]+", name.lower()) or len(name) > MAX_NAME_LENGTH:
        raise OperatorError(
            f"tests do not touch the database {name!r}: name one whose name has the word "
            f"'{MARK}' in it, such as shop_test, and at most {MAX_NAME_LENGTH} characters"
        )


@contextmanager
def embedded_cluster(folder: Path, settings: Mapping[str, str]) -> Iterator[Cluster]:
    """A PostgreSQL of the run's own, in `folder`."""
    said: list[str] = []
    port = random.randrange(20_000, 30_000)  # noqa: S311 - no secret
    with run_postgres(
        folder, port=port, durable=False, settings=settings, say=said.append
    ) as server:
        yield Cluster(server.url("postgres"))


@contextmanager
def given_cluster(url: str, worker: str) -> Iterator[Cluster]:
    """What is at `url`, for one process of one run: OperatorError where another run is there."""
    refuse_unmarked(url)
    cluster = Cluster(url, f"{make_url(url).database}_{worker}_")
    try:
        connection = cluster.connect()
    except psycopg.OperationalError as error:
        raise OperatorError(f"the database for tests cannot be reached: {error}") from None
    with connection as lock:
        key = zlib.crc32(cluster.prefix.encode())
        if lock.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() != (True,):
            raise OperatorError("another run of tests uses this database")
        yield cluster
        for name in _made(lock, cluster.prefix):
            cluster.drop(name.removeprefix(cluster.prefix))


def _made(lock: psycopg.Connection, prefix: str) -> list[str]:
    found = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
    return [name for (name,) in lock.execute(found, [prefix])]
