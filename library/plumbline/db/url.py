"""A URL for each of the two drivers: asyncpg serves requests, psycopg migrates."""

from sqlalchemy import URL, make_url


def asyncpg_url(url: str | URL) -> URL:
    """`url` with libpq's `sslmode` under the name that asyncpg gives it."""
    return _renamed(make_url(url), "asyncpg", old="sslmode", new="ssl")


def psycopg_url(url: str | URL) -> URL:
    """`url` with asyncpg's `ssl` under the name that libpq gives it."""
    return _renamed(make_url(url), "psycopg", old="ssl", new="sslmode")


def single_hosts(url: URL) -> list[URL]:
    """One URL for each host, and nothing in it that chooses between them.

    Hosts of the query stand for the one before the name of the database, as for the drivers.
    """
    named = url.query.get("host", ())
    hosts = named.split(",") if isinstance(named, str) else named
    rest = url.difference_update_query(["host", "target_session_attrs"])
    found = [rest._replace(host=host, port=port) for host, port in map(_host_and_port, hosts)]
    return found or [rest]


def _host_and_port(text: str) -> tuple[str, int | None]:
    """`db-1`, `db-1:5432`, `[::1]:5432`, or the folder of a socket."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        return text.strip("[]"), None
    return host.strip("[]"), int(port) if port else None


def _renamed(url: URL, driver: str, *, old: str, new: str) -> URL:
    query = {new if name == old else name: value for name, value in url.query.items()}
    if driver == "psycopg" and len(single_hosts(url)) > 1:  # hosts.py says so for asyncpg
        query.setdefault("target_session_attrs", "primary")
    return url.set(drivername=f"postgresql+{driver}", query=query)
