"""Each read of the services gives exactly what the ORM gives."""

import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

import app.services
from app.db.models import AccessToken, Post, User
from app.db.session import engine
from app.services.callers import USE_PRECISION_SECONDS, is_valid
from plumbline.db.statements import CompiledSelect
from plumbline_tests.db.equality import assert_equal

HIGH = 2**62
EACH = 250  # posts with low ids, and as many with high ones
NEW_USERS = f"""
INSERT INTO users (id, username, email, hashed_password, is_active, role, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT base + n, concat('zoë 李 🦋 ', base + n), concat(base + n, '@example.com'), '', n <> 3,
    CASE n WHEN 1 THEN 'admin' ELSE 'user' END,
    '1969-07-20 20:17:40.000001+00'::timestamptz, CASE n % 2 WHEN 0 THEN now() END
FROM unnest(ARRAY[0, {HIGH}]) AS base, generate_series(1, 5) AS n
"""
NEW_POSTS = f"""
INSERT INTO posts (id, title, content, author_id, version, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT base + n, left(repeat('é🦋\\"''' || n, 99), 200), repeat(E'\\n¶\\t', n - 1),
    base + 1 + n % 5, base + n, now() - n * interval '1.000001 days',
    CASE n % 3 WHEN 0 THEN now() + n * interval '1 microsecond' END
FROM unnest(ARRAY[0, {HIGH}]) AS base, generate_series(1, {EACH}) AS n
"""
NEW_TOKENS = f"""
INSERT INTO access_tokens (id, digest, user_id, label, last_used_at, expires_at)
OVERRIDING SYSTEM VALUE
SELECT {HIGH} + n, sha256(n::text::bytea), 1 + n % 5, 'tests',
    now() - CASE n % 3 WHEN 0 THEN interval '0' WHEN 1 THEN interval '1 hour' ELSE '1 year' END,
    now() + CASE n % 7 WHEN 0 THEN interval '-1 hour' ELSE '1 hour' END
FROM generate_series(1, 50) AS n
"""


def _all_reads() -> dict[str, CompiledSelect[..., Any]]:
    """Each of the services, by its module and its name in it."""
    found = pkgutil.iter_modules(app.services.__path__)
    modules = {each.name: importlib.import_module(f"app.services.{each.name}") for each in found}
    return {
        f"{module}.{name}": value if isinstance(value, CompiledSelect) else value()
        for module, names in modules.items()
        for name, value in vars(names).items()
        if isinstance(value, CompiledSelect) or _makes_a_read(value)
    }


def _makes_a_read(value: object) -> bool:
    """Those whose SQL depends on settings are made when they are needed first."""
    made = (
        inspect.get_annotations(value) if callable(value) and hasattr(value, "cache_info") else {}
    )
    return "CompiledSelect" in str(made.get("return"))


READS = _all_reads()


async def _post(db: AsyncSession, post_id: int) -> list[Any]:
    by_id = select(Post).where(Post.id == post_id)
    return list(await db.scalars(by_id.options(joinedload(Post.author))))


async def _page(
    db: AsyncSession, before_id: int, limit: int, author_id: int | None = None
) -> list[Any]:
    page = select(Post).where(Post.id < before_id).order_by(Post.id.desc()).limit(limit)
    if author_id is not None:
        page = page.where(Post.author_id == author_id)
    return list(await db.scalars(page.options(joinedload(Post.author))))


async def _user(db: AsyncSession, user_id: int) -> list[Any]:
    return list(await db.scalars(select(User).where(User.id == user_id)))


async def _caller(db: AsyncSession, digest: bytes) -> list[Any]:
    of_digest = select(AccessToken).where(AccessToken.digest == digest, is_valid())
    tokens = await db.scalars(of_digest.options(joinedload(AccessToken.user)))
    recent = datetime.now(UTC) - timedelta(seconds=USE_PRECISION_SECONDS)
    return [
        SimpleNamespace(
            **vars(token.user), token_id=token.id, is_to_be_noted=token.last_used_at < recent
        )
        for token in tokens
        if token.user.is_active
    ]


async def _standing(db: AsyncSession, token_id: int, role: str) -> list[Any]:
    of_id = select(AccessToken).where(AccessToken.id == token_id, is_valid())
    tokens = list(await db.scalars(of_id.options(joinedload(AccessToken.user))))
    return [each.user.id for each in tokens if each.user.is_active and each.user.role == role]


_IDS = [0, *range(1, EACH), *range(HIGH, HIGH + EACH)]
_PAGES = [(2**63 - 1, 2 * EACH), (HIGH + 9, 20), (5, 20), (1, 20)]
# The same question to the ORM, and values to ask it with.
QUESTIONS: dict[str, tuple[Callable[..., Awaitable[list[Any]]], list[dict[str, Any]]]] = {
    "posts._POST_BY_ID": (_post, [{"post_id": post_id} for post_id in _IDS]),
    "posts._NEWEST": (_page, [{"before_id": id_, "limit": limit} for id_, limit in _PAGES]),
    "posts._NEWEST_OF_AUTHOR": (
        _page,
        [{"before_id": i, "limit": n, "author_id": a} for i, n in _PAGES for a in (1, HIGH + 3)],
    ),
    "users._PROFILE": (_user, [{"user_id": user_id} for user_id in (0, 1, 2, HIGH + 1, HIGH + 2)]),
    "callers._still_unchanged": (
        _standing,
        [{"token_id": HIGH + n, "role": role} for n in range(60) for role in ("user", "admin")],
    ),
    "callers._caller_by_token": (
        _caller,
        [{"digest": hashlib.sha256(b"%d" % n).digest()} for n in range(60)],
    ),
}


def test_every_read_has_its_question() -> None:
    assert READS.keys() == QUESTIONS.keys()


@pytest.mark.parametrize("name", READS)
async def test_read_gives_exactly_what_the_orm_gives(name: str, db: AsyncSession) -> None:
    question, examples = QUESTIONS[name]
    for sql in (NEW_USERS, NEW_POSTS, NEW_TOKENS):
        await db.execute(text(sql))
    await db.commit()

    counts = set()
    for values in examples:
        stored = await question(db, **values)
        if "before_id" in values:
            values["max_bytes"] = 2**40
        rows, first = (
            await READS[name].all(engine, **values),
            await READS[name].find(engine, **values),
        )
        assert len(rows) == len(stored)
        for read, expected in zip(
            [*rows, *filter(None, [first])], [*stored, *stored[:1]], strict=True
        ):
            assert_equal(read, expected)
        counts.add(len(rows))

    assert min(counts) == 0 < max(counts)
