"""A URL for each of the two drivers: asyncpg serves requests, psycopg migrates."""

from sqlalchemy import URL, make_url


def asyncpg_url(url: str | URL) -> URL:
    """`url` with libpq's `sslmode` under the name that asyncpg gives it."""
    return _renamed(make_url(url), "asyncpg", old="sslmode", new="ssl")


def psycopg_url(url: str | URL) -> URL:
    """`url` with asyncpg's `ssl` under the name that libpq gives it."""
    return _renamed(make_url(url), "psycopg", old="ssl", new="sslmode")


def _renamed(url: URL, driver: str, *, old: str, new: str) -> URL:
    query = {new if name == old else name: value for name, value in url.query.items()}
    return url.set(drivername=f"postgresql+{driver}", query=query)
