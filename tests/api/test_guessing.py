"""Guessing passwords is bounded exactly."""

import asyncio

import httpx2
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import Headers

from app.core import security
from app.core.config import settings
from app.db.models import AttemptCount, User
from app.db.session import AsyncSessionFactory, engine
from app.main import app
from plumbline.http.client_ip import ClientNetworks
from plumbline.http.request_context import RequestContextMiddleware, last_hops
from plumbline.setting_values import parse_networks
from plumbline_tests.http.asgi import middleware_of
from plumbline_tests.torture import Amount
from tests.people import PASSWORD, make_user, make_users, signed_in

PROXIES = "127.0.0.1/32, 10.0.0.0/8"
OFFICE, ELSEWHERE, FAR_AWAY = "198.51.100.1", "203.0.113.1", "203.0.113.2"


@pytest.fixture(autouse=True)
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust this machine as a proxy, so that tests can say where they come from."""
    networks = ClientNetworks(parse_networks(PROXIES))
    monkeypatch.setattr(middleware_of(app, RequestContextMiddleware), "networks", networks)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives up waiting for a connection or a place, however busy the machine is."""
    monkeypatch.setattr(engine.pool, "_timeout", 200)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were verified; they do not take their time here."""
    seen: list[str] = []

    def verify(password: str, hashed_password: str | None) -> bool:
        seen.append(password)
        return password == PASSWORD and hashed_password is not None

    monkeypatch.setattr(security, "_verify", verify)
    monkeypatch.setattr(settings, "PASSWORD_HASH_QUEUE", 2000)
    return seen


async def _log_in(
    client: httpx2.AsyncClient,
    password: str = "wrong",
    *,
    login: str = "alice",
    come_from: str = ELSEWHERE,
) -> httpx2.Response:
    form = {"username": login, "password": password}
    return await client.post(
        "/api/v1/auth/token", data=form, headers={"X-Forwarded-For": come_from}
    )


@pytest.mark.usefixtures("alice", "patient")
async def test_of_many_guesses_at_once_exactly_10_are_verified(
    server: str, verified: list[str], amount: Amount
) -> None:
    number = amount(200, 1000)
    # More would wait for one row, on a busy machine longer than DB_LOCK_TIMEOUT_SECONDS.
    limits = httpx2.Limits(max_connections=10)
    async with httpx2.AsyncClient(base_url=server, limits=limits, timeout=200) as client:
        answers = await asyncio.gather(*(_log_in(client, f"guess {n}") for n in range(number)))

    codes = [answer.status_code for answer in answers]
    assert len(verified) == codes.count(401) == 10
    assert codes.count(429) == number - 10


@pytest.mark.usefixtures("alice", "verified")
async def test_refusal_says_how_long_to_wait(client: httpx2.AsyncClient) -> None:
    for _ in range(10):
        await _log_in(client)

    response = await _log_in(client, PASSWORD)

    wait = int(response.headers["Retry-After"])
    assert response.status_code == 429
    assert response.headers["RateLimit-Policy"] == '"login-account";q=10;w=900'
    assert response.headers["RateLimit"] == f'"login-account";r=0;t={wait}'
    assert 890 <= wait <= 900


@pytest.mark.usefixtures("alice", "verified")
async def test_right_passwords_do_not_count(client: httpx2.AsyncClient) -> None:
    answers = [await _log_in(client, PASSWORD) for _ in range(12)]

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.usefixtures("alice")
async def test_window_that_is_over_counts_no_more(
    client: httpx2.AsyncClient, verified: list[str]
) -> None:
    for _ in range(11):
        await _log_in(client)
    async with AsyncSessionFactory.begin() as db:
        await db.execute(update(AttemptCount).values(ends_at=func.now()))

    response = await _log_in(client, PASSWORD)

    assert response.status_code == 200
    assert len(verified) == 11


@pytest.mark.usefixtures("alice", "verified")
@pytest.mark.parametrize("login", ["ALICE", "alice@example.com", "Ａlice"])  # noqa: RUF001
async def test_other_spellings_and_other_networks_share_the_count(
    client: httpx2.AsyncClient, login: str
) -> None:
    for number in range(10):
        await _log_in(client, come_from=f"203.0.113.{number}")

    response = await _log_in(client, login=login, come_from=FAR_AWAY)

    assert response.status_code == 429


@pytest.mark.usefixtures("alice", "verified")
async def test_strangers_cannot_lock_the_owner_out_where_the_owner_was_before(
    client: httpx2.AsyncClient,
) -> None:
    await _log_in(client, PASSWORD, come_from=OFFICE)
    for _ in range(11):
        await _log_in(client, come_from=ELSEWHERE)

    at_the_office = await _log_in(client, PASSWORD, come_from=OFFICE)
    elsewhere = await _log_in(client, PASSWORD, come_from=FAR_AWAY)

    assert at_the_office.status_code == 200
    assert elsewhere.status_code == 429


@pytest.mark.usefixtures("verified")
async def test_one_network_has_a_limit_over_all_accounts(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOGIN_LIMIT_PER_NETWORK", 3)
    for number in range(3):
        await _log_in(client, login=f"user{number}")

    refused = await _log_in(client, login="user3")
    other = await _log_in(client, login="user3", come_from=FAR_AWAY)

    assert refused.headers["RateLimit-Policy"].startswith('"login-network"')
    assert (refused.status_code, other.status_code) == (429, 401)


async def test_failed_request_does_not_take_its_attempt_back(
    client: httpx2.AsyncClient, db: AsyncSession
) -> None:
    await _log_in(client, login="nobody")

    assert set(await db.scalars(select(AttemptCount.used))) == {1}


async def test_sign_ups_are_limited_by_network(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SIGNUP_LIMIT_PER_NETWORK", 2)

    answers = [await _sign_up(client, f"user{number}") for number in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]


async def _sign_up(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    headers = {"X-Forwarded-For": ELSEWHERE}
    return await client.post("/api/v1/users", json=account, headers=headers)


@pytest.mark.usefixtures("alice", "verified")
async def test_limit_of_0_is_none(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOGIN_LIMIT_PER_ACCOUNT", 0)

    answers = [await _log_in(client) for _ in range(15)]

    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),  # no proxy of ours: the header is a claim
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "", "192.0.2.7"),
    ],
)
def test_caller_is_the_right_most_hop_that_is_no_proxy_of_ours(
    peer: str, forwarded: str, expected: str
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}

    networks = ClientNetworks(parse_networks(PROXIES))
    found = networks.find(peer, last_hops(Headers(headers)))

    assert found == expected


async def test_many_who_claim_to_come_from_many_places_are_one_network(
    client: httpx2.AsyncClient, verified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outermost = middleware_of(app, RequestContextMiddleware)
    monkeypatch.setattr(outermost, "networks", ClientNetworks([]))
    monkeypatch.setattr(settings, "LOGIN_LIMIT_PER_NETWORK", 5)

    for number in range(20):
        await _log_in(client, login=f"user{number}", come_from=f"198.51.100.{number}")

    assert len(verified) == 5


async def test_wrong_passwords_for_deleting_are_limited_too(
    client: httpx2.AsyncClient, verified: list[str]
) -> None:
    user: User = await make_user("gina")
    headers = {"Authorization": f"Bearer plumb_token-of-{user.username}"}

    answers = [
        await client.request(
            "DELETE", "/api/v1/users/me", json={"password": "wrong"}, headers=headers
        )
        for _ in range(12)
    ]

    assert [answer.status_code for answer in answers] == [403] * 10 + [429] * 2
    assert len(verified) == 10


async def test_number_of_a_user_is_no_name_of_that_user(
    client: httpx2.AsyncClient, alice: User
) -> None:
    for _ in range(11):
        await _log_in(client, login=str(alice.id))

    assert (await _log_in(client, PASSWORD)).status_code == 200


async def test_trying_e_mails_by_changing_the_own_one_is_limited(
    client: httpx2.AsyncClient, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SIGNUP_LIMIT_PER_NETWORK", 2)
    change = {"email": bob.email}

    answers = [
        await client.patch("/api/v1/users/me", json=change, headers=signed_in(alice))
        for _ in range(3)
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 429]


@pytest.mark.usefixtures("verified", "patient")
async def test_many_right_log_ins_never_wait_in_a_circle(server: str, amount: Amount) -> None:
    """Of several accounts, so that some have their count before and some behind the network's."""
    users = await make_users(*(f"user{number}" for number in range(6)))

    async with httpx2.AsyncClient(base_url=server, timeout=200) as client:
        log_ins = [_log_in(client, PASSWORD, login=user.username) for user in users * amount(3, 8)]
        answers = await asyncio.gather(*log_ins)

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.usefixtures("alice", "verified")
async def test_refused_network_does_not_use_up_the_count_of_the_account(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, db: AsyncSession
) -> None:
    monkeypatch.setattr(settings, "LOGIN_LIMIT_PER_NETWORK", 3)
    for number in range(3):
        await _log_in(client, login=f"user{number}")

    refused = [await _log_in(client) for _ in range(12)]
    owner = await _log_in(client, PASSWORD, come_from=FAR_AWAY)

    assert {answer.status_code for answer in refused} == {429}
    assert owner.status_code == 200
    used = sorted(await db.scalars(select(AttemptCount.used)))
    assert used == [0, 0, 1, 1, 1, 3]  # the owner's two, three names, the network
