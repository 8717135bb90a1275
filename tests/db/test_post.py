"""What the database itself refuses of posts, whoever writes."""

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.db.models import Post, User
from app.db.session import AsyncSessionFactory


async def test_post_without_an_author_is_refused(db: AsyncSession) -> None:
    db.add(Post(title="Hello", content="World", author_id=1))

    with pytest.raises(IntegrityError, match="fk_posts_author_id_users"):
        await db.flush()


async def test_update_of_an_outdated_version_is_refused(db: AsyncSession, post: Post) -> None:
    mine = await db.get_one(Post, post.id)
    async with AsyncSessionFactory.begin() as other:
        (await other.get_one(Post, post.id)).title = "Theirs"
    mine.title = "Mine"

    with pytest.raises(StaleDataError):
        await db.flush()


async def test_both_sides_of_the_relationship_are_one(db: AsyncSession, post: Post) -> None:
    user = await db.get_one(User, post.author_id)
    theirs = await db.get_one(Post, post.id)

    await db.refresh(user, ["posts"])

    assert user.posts == [theirs]
    assert theirs.author is user


def test_seed_s_columns_of_posts_are_all_there() -> None:
    assert {"id", "title", "content", "author_id"} <= set(inspect(Post).columns.keys())
