"""Embedded PostgreSQL."""

from pathlib import Path

from plumbline.db.embedded import run_postgres


def develop() -> None:
    with run_postgres(Path(".postgres"), port=5432) as server:
        print(server.url("app"))  # postgresql://postgres:postgres@127.0.0.1:5432/app
