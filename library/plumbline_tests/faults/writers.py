"""Those who write, put straight into the database."""

import psycopg

from plumbline.db.url import psycopg_url

WRITERS = [f"writer{number}" for number in range(16)]


def add_writers(url: str) -> None:
    plain = psycopg_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as db:
        for name in WRITERS:
            db.execute("INSERT INTO authors (name) VALUES (%s)", [name])


def signed_in(name: str) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {name}"}
