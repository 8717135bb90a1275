"""Where the project is, and a connection of its PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from plumbline.testing.cluster import Cluster

ROOT = Path(__file__).parents[1]


@contextmanager
def administrator(postgres: Cluster) -> Iterator[psycopg.Connection]:
    with postgres.connect() as admin:
        yield admin
