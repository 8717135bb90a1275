"""People for a development database; `app seed` makes all other rows from the tables."""

from functools import cache

from app.core.security import hash_for_development
from plumbline.seeding.seeds import Draw, Row, Seeds
from plumbline.text import fold

PASSWORD = "only for development, nowhere else"  # noqa: S105 - printed by `app seed`


@cache
def _hashed() -> str:
    return hash_for_development(PASSWORD)


def make_user(draw: Draw) -> Row:
    """The first is `admin`; of the others one in fifty is deactivated."""
    name = "admin" if draw.number == 1 else _username(*draw.person(), draw.number)
    return {
        "username": name,
        "email": f"{name}@example.com",
        "hashed_password": _hashed(),
        "role": "admin" if draw.number == 1 else "user",
        "is_active": draw.number == 1 or draw.random.random() > 0.02,  # noqa: PLR2004
    }


def _username(first: str, last: str, number: int) -> str:
    """As people would choose it, unlike all others."""
    words = ("".join(letter for letter in fold(word) if letter.isalnum()) for word in (first, last))
    return f"{'.'.join(words)[:40]}{number}"


SEEDS = Seeds(
    rows={"users": make_user},
    left_out=frozenset(
        {"access_tokens", "attempt_counts", "audit_events", "idempotency_keys", "known_networks"}
    ),
    told=f"log in as admin, or as anybody else of them; the password is: {PASSWORD}",
)
