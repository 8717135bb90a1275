"""Posts: `/posts`, and `/users/{user_id}/posts`."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from app.api.access import ANONYMOUS, OWNER, OWNER_OR_ADMIN, SIGNED_IN
from app.api.deps import CurrentUser, Db
from app.db.models.post import CONTENT_MAX_LENGTH
from app.services import posts, users
from app.services.posts import PostRead
from plumbline.errors import NotFound
from plumbline.http.pagination import Page, PageView, Paging
from plumbline.http.problems import error_responses
from plumbline.http.resources import Patch, created, tagged
from plumbline.http.routing import (
    MAX_ID,
    IfMatch,
    Number,
    OptionalIfMatch,
    PathId,
    Payload,
    resource,
)
from plumbline.text import OneLine, PlainText

router, of_users = resource("posts"), resource("users")

Title = Annotated[str, Field(min_length=1, max_length=200), OneLine]
Content = Annotated[str, Field(max_length=CONTENT_MAX_LENGTH), PlainText]


class PostCreate(Payload):
    title: Title
    content: Content


class PostUpdate(Patch, PostCreate):
    """Fields that are absent stay as they are."""


class PostPage(PageView[PostRead]): ...


@router.get("", response_model=PostPage, dependencies=[ANONYMOUS])
async def list_posts(
    paging: Paging, author_id: Annotated[int | None, Query(ge=1, le=MAX_ID), Number] = None
) -> Page[PostRead]:
    """Posts, newest first."""
    rows = await posts.list_posts(paging.before_id, paging.limit, author_id)
    return paging.page(rows, lambda post: post.id)


@router.post("", status_code=201, response_model=PostRead, dependencies=[SIGNED_IN])
async def create_post(db: Db, user: CurrentUser, body: PostCreate, response: Response) -> PostRead:
    """Write a post."""
    post = await posts.create_post(db, user, **body.model_dump())
    return created(response, router, post)


@router.get("/{post_id}", response_model=PostRead, dependencies=[ANONYMOUS])
async def get_post(post_id: PathId, response: Response) -> PostRead:
    """One post."""
    return tagged(response, await posts.get_post(post_id))


@router.patch("/{post_id}", response_model=PostRead, dependencies=[OWNER])
async def update_post(
    db: Db,
    user: CurrentUser,
    post_id: PathId,
    check_version: IfMatch,
    body: PostUpdate,
    response: Response,
) -> PostRead:
    """Change your own post."""
    post = await posts.update_post(db, post_id, user, check_version, body.changes())
    return tagged(response, post)


@router.delete("/{post_id}", status_code=204, dependencies=[OWNER_OR_ADMIN])
async def delete_post(
    db: Db, user: CurrentUser, post_id: PathId, check_version: OptionalIfMatch
) -> None:
    """Delete your own post, or as an admin any."""
    await posts.delete_post(db, post_id, user, check_version)


@of_users.get(
    "/{user_id}/posts",
    response_model=PostPage,
    responses=error_responses(NotFound),
    dependencies=[ANONYMOUS],
)
async def list_user_posts(user_id: PathId, paging: Paging) -> Page[PostRead]:
    """A user's posts, newest first."""
    await users.get_profile(user_id)
    rows = await posts.list_posts(paging.before_id, paging.limit, author_id=user_id)
    return paging.page(rows, lambda post: post.id)


router.routes.extend(of_users.routes)
