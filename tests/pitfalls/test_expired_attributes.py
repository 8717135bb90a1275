"""MissingGreenlet for a plain column: it expired at COMMIT, or by an UPDATE."""

import pytest
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.db.base import Base
from app.db.models import Post, User
from app.db.session import AsyncSessionFactory
from tests.pitfalls.sandbox import Author, is_documented, make_author


async def test_column_read_after_commit_raises(sandbox: AsyncEngine) -> None:
    async with AsyncSession(sandbox) as session:
        author = Author(name="Jane Austen")
        session.add(author)
        await session.commit()

        with pytest.raises(MissingGreenlet) as caught:
            _ = author.name

    assert is_documented(caught.value)


async def test_model_of_the_app_is_readable_after_commit(alice: User) -> None:
    async with AsyncSessionFactory() as db:
        post = Post(title="Hello", content="World", author_id=alice.id)
        db.add(post)
        await db.commit()

        assert (post.title, post.version, post.updated_at) == ("Hello", 1, None)


async def test_updated_at_read_after_an_update_raises(sandbox: AsyncEngine) -> None:
    author = await make_author(sandbox)

    async with AsyncSession(sandbox, expire_on_commit=False) as session:
        session.add(author)
        author.name = "J. Austen"
        await session.commit()
        with pytest.raises(MissingGreenlet) as caught:
            _ = author.updated_at

    assert is_documented(caught.value)


async def test_updated_at_of_the_app_is_readable_after_an_update(post: Post) -> None:
    async with AsyncSessionFactory.begin() as db:
        db.add(post)
        post.title = "New"

    assert post.updated_at is not None
    assert post.updated_at > post.created_at


def test_every_model_with_a_value_set_on_update_fetches_it_at_once() -> None:
    changing = {
        mapper.class_: mapper.eager_defaults
        for mapper in Base.registry.mappers
        if any(column.onupdate or column.server_onupdate for column in mapper.columns)
    }

    assert changing.keys() >= {User, Post}
    assert all(eager is True for eager in changing.values()), changing
