"""Passwords: what is accepted, and what hashing may cost."""

import asyncio
import threading
import time
import unicodedata

import httpx2
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import security
from app.core.config import settings
from app.db.models import User
from app.db.session import AsyncSessionFactory
from tests.people import PASSWORD

E_ACUTE = "\u00e9"
ACUTE = "\u0301"
GREEK = unicodedata.normalize("NFD", "\u1f82")  # four characters; three bytes as hashed


async def _sign_up(client: httpx2.AsyncClient, password: str) -> httpx2.Response:
    account = {"username": "margaret", "email": "hamilton@apollo.example", "password": password}
    return await client.post("/api/v1/users", json=account)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("x" * 14, "string_too_short"),
        (f"e{ACUTE}" * 14, "string_too_short"),  # 28 characters as typed, 14 as hashed
        ("ab c" * 257, "string_too_long"),
        (f"words of {E_ACUTE * 600}", "too_long"),
        ("passwordpassword", "easy_to_guess"),
        ("123456789012345", "easy_to_guess"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "easy_to_guess"),
        ("qwertyuiopasdfghjkl", "easy_to_guess"),
        ("margaretmargaret", "easy_to_guess"),
        ("hamilton@apollo.example", "easy_to_guess"),
        ("PlumblineSummer2026", "easy_to_guess"),
        ("Winter-2025-Plumbline!", "easy_to_guess"),
        ("P1umb1ine$ummer2026", "easy_to_guess"),
        ("WelcomeToPlumbline2026!", "easy_to_guess"),
        ("November2026November!", "easy_to_guess"),
        ("Password-Frühling-2026", "easy_to_guess"),
        ("MargaretSummer2026", "easy_to_guess"),
        ("justinolipatate", "easy_to_guess"),  # these two were stolen
        ("HockeyIsTheBest", "easy_to_guess"),
    ],
)
async def test_password_that_is_short_long_or_common_is_refused(
    client: httpx2.AsyncClient, password: str, code: str
) -> None:
    response = await _sign_up(client, password)

    assert response.status_code == 422
    assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [("password", code)]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "  leading and trailing blanks  ",
        "only lower case words here",
        "Пароль из нескольких слов",
        "🐎🔋📎 and some words",
        "plain words " * 80,
        "my plumbline hangs on a red wall since summer",
        f"several other words {GREEK * 330}",  # 1340 characters as typed, 1010 bytes as hashed
    ],
)
async def test_any_other_password_is_accepted_and_verified_whole(
    client: httpx2.AsyncClient, password: str
) -> None:
    assert (await _sign_up(client, password)).status_code == 201

    right = await client.post(
        "/api/v1/auth/token", data={"username": "margaret", "password": password}
    )
    cut_off = await client.post(
        "/api/v1/auth/token", data={"username": "margaret", "password": password[:-1]}
    )

    assert (right.status_code, cut_off.status_code) == (200, 401)


async def test_password_is_the_same_however_the_keyboard_composes_it(
    client: httpx2.AsyncClient,
) -> None:
    password = f"caf{E_ACUTE} au lait and words"
    await _sign_up(client, unicodedata.normalize("NFD", password))

    form = {"username": "margaret", "password": unicodedata.normalize("NFC", password)}
    response = await client.post("/api/v1/auth/token", data=form)

    assert response.status_code == 200


async def test_hash_of_old_parameters_is_renewed_at_log_in(
    client: httpx2.AsyncClient, db: AsyncSession, alice: User
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    async with AsyncSessionFactory.begin() as writer:
        await writer.execute(update(User).values(hashed_password=old))

    response = await client.post(
        "/api/v1/auth/token", data={"username": "alice", "password": PASSWORD}
    )

    renewed = await db.scalar(select(User.hashed_password).where(User.id == alice.id))
    assert response.status_code == 200
    assert renewed is not None
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


class HeldUp:
    """Verifications that wait until `gate` is set, and how many run at once."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.running = 0

    def verify(self, _password: str, _hashed_password: str | None) -> bool:
        self.running += 1
        self.gate.wait(10)
        return False


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    made = HeldUp()
    monkeypatch.setattr(security, "_verify", made.verify)
    monkeypatch.setattr(settings, "LOGIN_LIMIT_PER_NETWORK", 0)
    return made


async def test_full_queue_is_a_503_at_once_and_memory_stays_bounded(
    client: httpx2.AsyncClient, held_up: HeldUp
) -> None:
    places = settings.PASSWORD_HASH_THREADS + settings.PASSWORD_HASH_QUEUE

    async def log_in(number: int) -> httpx2.Response:
        form = {"username": f"user{number}", "password": "wrong"}
        return await client.post("/api/v1/auth/token", data=form)

    waiting = [asyncio.create_task(log_in(number)) for number in range(places)]
    while security._waiting < places or not held_up.running:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    started = time.perf_counter()
    refused = await log_in(places)
    took = time.perf_counter() - started
    alive = await client.get("/livez")
    running = held_up.running  # each takes ARGON2_MEMORY_KIB
    held_up.gate.set()

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert took < 0.1
    assert alive.status_code == 200
    assert running == settings.PASSWORD_HASH_THREADS
    assert {(await answer).status_code for answer in waiting} == {401}
