"""Tests touch only databases that say of themselves that they may be thrown away."""

import asyncio
import struct
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster, given_cluster, refuse_unmarked


@pytest.fixture
def marked(postgres: Cluster) -> Iterator[str]:
    yield postgres.create("test")
    postgres.drop("test")


@pytest.mark.parametrize(
    "name", ["shop", "latest", "contest", "shop_testing", "attest-1", "", "test_" + "x" * 30]
)
def test_name_without_the_word_is_refused(name: str) -> None:
    with pytest.raises(OperatorError, match="tests do not touch the database"):
        refuse_unmarked(f"postgresql://me:secret@127.0.0.1/{name}")


@pytest.mark.parametrize("name", ["test", "shop_test", "test-shop", "SHOP-TEST-2"])
def test_name_with_the_word_is_taken(name: str) -> None:
    refuse_unmarked(f"postgresql+asyncpg://me:secret@127.0.0.1/{name}?ssl=require")


def test_text_that_is_no_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(OperatorError) as refused:
        refuse_unmarked("me:secret@here")

    assert "secret" not in str(refused.value)


def test_second_run_on_the_same_database_is_refused(marked: str) -> None:
    with (
        given_cluster(marked, "gw0"),
        pytest.raises(OperatorError, match="another run"),
        given_cluster(marked, "gw0"),
    ):
        pass


def test_run_leaves_nothing_of_its_own_and_all_of_others(marked: str, postgres: Cluster) -> None:
    others = postgres.create("test_gw10_main")
    with given_cluster(marked, "gw1") as cluster:
        cluster.create("main")

    with postgres.connect() as admin:
        found = admin.execute("SELECT datname FROM pg_database WHERE datname ~ '^test'")
        assert sorted(name for (name,) in found) == ["test", "test_gw10_main"]
    assert others
    postgres.drop("test_gw10_main")


STARTUP = b"\x00\x03\x00\x00user\x00%b\x00database\x00%b\x00\x00"  # PostgreSQL's protocol 3.0


async def _connect_half(url: str) -> asyncio.StreamWriter:
    """Up to the question for a password."""
    there = make_url(url)
    assert there.host
    assert there.username
    assert there.database
    reader, writer = await asyncio.open_connection(there.host, there.port)
    startup = STARTUP % (there.username.encode(), there.database.encode())
    writer.write(struct.pack("!i", len(startup) + 4) + startup)
    assert await reader.readexactly(1) == b"R"
    return writer


def test_database_is_dropped_though_somebody_in_the_loop_is_half_connected(
    postgres: Cluster, session_loop: asyncio.AbstractEventLoop
) -> None:
    """To another one even; PostgreSQL would wait for its authentication_timeout, a minute."""
    postgres.create("dropped")
    half = session_loop.run_until_complete(_connect_half(postgres.base))
    session_loop.call_soon(half.close)

    postgres.drop("dropped")

    assert half.is_closing()
