"""`postgres`: the embedded PostgreSQL alone."""

from functools import partial
from typing import TYPE_CHECKING

from plumbline.cli.terminal import POSTGRES, DataDir, Port, say
from plumbline.errors import OperatorError

if TYPE_CHECKING:
    from plumbline.db.embedded import Server


def postgres(name: str, port: Port = 5432, data_dir: DataDir = POSTGRES) -> None:
    """Run the embedded PostgreSQL alone, until Ctrl-C."""
    from plumbline.db.embedded import run_postgres  # noqa: PLC0415 - psycopg: `serve` does without

    with run_postgres(data_dir, port=port, say=partial(say, name)) as server:
        say(name, f"PostgreSQL is at {server.url()}; Ctrl-C stops it")
        server.process.wait()
        refuse_stopped(server)


def refuse_stopped(server: "Server") -> None:
    """OperatorError when it does not run any more."""
    if (code := server.process.poll()) is not None:
        log = server.data_dir / "postgres.log"
        raise OperatorError(f"PostgreSQL stopped (code {code}): see {log}, and start again")
