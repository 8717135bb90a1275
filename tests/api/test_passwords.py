"""Passwords: what is accepted, and what hashing may cost."""

import asyncio
import threading
import unicodedata
from collections.abc import Awaitable, Callable
from itertools import count

import httpx2
import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from zxcvbn import zxcvbn

from app.core import security
from app.core.config import settings
from app.db.models import AttemptCount, User
from app.db.session import AsyncSessionFactory
from app.main import app
from app.services.limits import attempts, limit
from plumbline.http.client_ip import ClientNetworks
from plumbline.http.request_context import RequestContextMiddleware
from plumbline.setting_values import parse_networks
from plumbline_tests.http.asgi import middleware_of
from tests.people import PASSWORD, signed_in

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


PLACES = settings.PASSWORD_HASH_THREADS + settings.PASSWORD_HASH_QUEUE
Sender = Callable[[str], Awaitable[httpx2.Response]]


@pytest.fixture
def log_in_from(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """Each time as somebody else, from a network."""
    networks = ClientNetworks(parse_networks("127.0.0.1/32"))
    monkeypatch.setattr(middleware_of(app, RequestContextMiddleware), "networks", networks)
    names = (f"user{number}" for number in count())

    def log_in(come_from: str) -> Awaitable[httpx2.Response]:
        form = {"username": next(names), "password": "wrong"}
        headers = {"X-Forwarded-For": come_from}
        return client.post("/api/v1/auth/token", data=form, headers=headers)

    return log_in


async def _until_waiting(number: int) -> None:
    while security.hashing().taken.total() < number:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)


async def test_full_queue_is_a_503_at_once_and_memory_stays_bounded(
    client: httpx2.AsyncClient, held_up: HeldUp, log_in_from: Sender
) -> None:
    networks = [f"198.51.100.{number % 3}" for number in range(PLACES)]
    waiting = [asyncio.ensure_future(log_in_from(each)) for each in networks]
    await _until_waiting(PLACES)
    refused = await log_in_from("203.0.113.1")
    alive = await client.get("/livez")
    running = held_up.running  # each takes ARGON2_MEMORY_KIB
    held_up.gate.set()

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert alive.status_code == 200
    assert running <= settings.PASSWORD_HASH_THREADS
    assert {(await answer).status_code for answer in waiting} == {401}
    assert security.hashing().taken == {}


async def test_one_network_takes_half_the_places_at_most(
    held_up: HeldUp, log_in_from: Sender
) -> None:
    mine = [asyncio.ensure_future(log_in_from("198.51.100.1")) for _ in range(PLACES)]
    await _until_waiting(PLACES // 2)
    theirs = asyncio.ensure_future(log_in_from("203.0.113.1"))
    await _until_waiting(PLACES // 2 + 1)
    held_up.gate.set()

    statuses = [(await answer).status_code for answer in mine]
    assert statuses.count(401) == PLACES // 2
    assert statuses.count(503) == PLACES - PLACES // 2
    assert (await theirs).status_code == 401


async def test_limit_is_asked_before_a_place_is_taken(
    held_up: HeldUp, log_in_from: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three networks two hold all places, and the third is over its limit."""
    monkeypatch.setattr(settings, "LOGIN_LIMIT_PER_NETWORK", PLACES // 2 + 1)
    tries = limit("login-network", "203.0.113.1", PLACES // 2 + 1)
    for _ in range(tries.allowed):
        await attempts.reserve(tries)
    networks = [f"198.51.100.{number % 3}" for number in range(PLACES)]
    waiting = [asyncio.ensure_future(log_in_from(each)) for each in networks]
    await _until_waiting(PLACES)
    refused = await log_in_from("203.0.113.1")
    held_up.gate.set()

    assert refused.status_code == 429
    assert {(await answer).status_code for answer in waiting} == {401}


async def test_attempt_without_a_place_is_not_counted(
    held_up: HeldUp, log_in_from: Sender, db: AsyncSession
) -> None:
    networks = [f"198.51.100.{number % 3}" for number in range(PLACES)]
    waiting = [asyncio.ensure_future(log_in_from(each)) for each in networks]
    await _until_waiting(PLACES)
    await log_in_from("203.0.113.1")
    held_up.gate.set()
    await asyncio.gather(*waiting)

    assert await db.scalar(select(func.count()).select_from(AttemptCount)) == PLACES


@pytest.fixture
def estimated(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The thread and the password of each estimate of strength."""
    seen: list[tuple[str, str]] = []

    def spy(password: str, user_inputs: list[str]) -> object:
        seen.append((threading.current_thread().name, password))
        return zxcvbn(password, user_inputs=user_inputs)

    monkeypatch.setattr(security, "zxcvbn", spy)
    return seen


async def test_strength_is_estimated_from_the_start_and_in_a_thread_of_its_own(
    client: httpx2.AsyncClient, estimated: list[tuple[str, str]]
) -> None:
    await _sign_up(client, "a long password of many words " * 9)

    assert estimated == [("zxcvbn_0", "a long password of many w")]


async def test_wrong_password_is_refused_and_counted_before_the_new_one_is_estimated(
    client: httpx2.AsyncClient, alice: User, estimated: list[tuple[str, str]], db: AsyncSession
) -> None:
    change = {"current_password": "wrong", "new_password": "passwordpassword"}

    answer = await client.put("/api/v1/users/me/password", json=change, headers=signed_in(alice))

    assert answer.status_code == 403
    assert estimated == []
    assert await db.scalar(select(AttemptCount.used)) == 1
