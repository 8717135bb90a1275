"""What PostgreSQL says of our connections, statements and locks."""

from dataclasses import dataclass, field

import psycopg

OURS = "datname = current_database() AND application_name LIKE 'plumbline%'"


@dataclass
class Witness:
    """Asks PostgreSQL, on a connection of its own."""

    url: str
    _connection: psycopg.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = psycopg.connect(self.url, autocommit=True)

    def backends(self) -> int:
        """How many connections we have there."""
        return self._count(f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}")

    def busy(self) -> int:
        """How many of them work, or keep a transaction open."""
        return self._count(
            f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND state <> 'idle'"
        )

    def asleep(self) -> int:
        """How many run our statements that sleep."""
        return self._count(
            f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event = 'PgSleep'"
        )

    def locks(self) -> int:
        """How many locks there are on the table authors."""
        return self._count("SELECT count(*) FROM pg_locks WHERE relation = 'authors'::regclass")

    def late(self) -> int:
        """How many authors were written or changed."""
        return self._count("SELECT count(*) FROM authors WHERE name <> 'jane'")

    def is_over(self) -> bool:
        return (self.busy(), self.locks()) == (0, 0)

    def close(self) -> None:
        self._connection.close()

    def _count(self, sql: str) -> int:
        ((number,),) = self._connection.execute(sql.encode()).fetchall()
        return int(number)
