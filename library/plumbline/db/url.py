"""DATABASE_URL for each of the two drivers: asyncpg serves requests, psycopg migrates."""

from sqlalchemy import URL, make_url

from app.core.config import settings


def asyncpg_url(url: str | None = None) -> URL:
    """`url`, or DATABASE_URL, with libpq's `sslmode` under the name that asyncpg gives it."""
    return _renamed(make_url(url or settings.DATABASE_URL), "asyncpg", "sslmode", "ssl")


def psycopg_url(url: str | None = None) -> URL:
    """`url`, or DATABASE_URL, with asyncpg's `ssl` under the name that libpq gives it."""
    return _renamed(make_url(url or settings.DATABASE_URL), "psycopg", "ssl", "sslmode")


def _renamed(url: URL, driver: str, theirs: str, ours: str) -> URL:
    query = {ours if name == theirs else name: value for name, value in url.query.items()}
    return url.set(drivername=f"postgresql+{driver}", query=query)
