"""Writers with valid tokens, put straight into the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import NullPool, create_engine
from sqlalchemy.orm import Session

from app.db.models import AccessToken, User
from app.services.callers import token_digest
from plumbline.db.url import psycopg_url
from tests import people

WRITERS = [f"writer{number}" for number in range(16)]


def add_writers(url: str, names: Sequence[str] = WRITERS) -> None:
    engine = create_engine(psycopg_url(url), poolclass=NullPool)
    with Session(engine) as db, db.begin():
        users = [_writer(name) for name in names]
        db.add_all(users)
        db.flush()
        db.add_all(_token(user) for user in users)


def _writer(name: str) -> User:
    email, hashed_password = f"{name}@example.com", people._HASHED
    return User(username=name, email=email, hashed_password=hashed_password)


def _token(user: User) -> AccessToken:
    return AccessToken(
        digest=token_digest(people.token_of(user)),
        user_id=user.id,
        label="tests",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )


def signed_in(name: str) -> dict[str, str]:
    return people.signed_in(User(username=name))
