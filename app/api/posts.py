"""Posts: `/posts`."""

from typing import Annotated

from fastapi import Query, Response, status
from pydantic import Field

from app.api.access import ANONYMOUS, OWNER, OWNER_OR_ADMIN, SIGNED_IN
from app.api.deps import CurrentUser, Db
from app.db.models.post import CONTENT_MAX_LENGTH
from app.services import posts
from app.services.posts import PostRead
from plumbline.errors import Forbidden, NotFound, PreconditionRequired, Stale
from plumbline.http.pagination import Page, PageView, Paging
from plumbline.http.problems import error_responses
from plumbline.http.routing import (
    MAX_ID,
    UNLESS_KNOWN,
    IfMatch,
    Number,
    OptionalIfMatch,
    PathId,
    Payload,
    etag,
    resource,
)
from plumbline.text import OneLine, PlainText

router = resource("posts")

Title = Annotated[str, Field(min_length=1, max_length=200), OneLine]
Content = Annotated[str, Field(max_length=CONTENT_MAX_LENGTH), PlainText]


class PostCreate(Payload):
    title: Title
    content: Content


class PostUpdate(Payload):
    """Fields that are absent stay as they are."""

    title: Title = Field(default_factory=str)
    content: Content = Field(default_factory=str)


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
    response.headers["Location"] = f"{router.prefix}/{post.id}"
    response.headers["ETag"] = etag(post.version)
    return post


@router.get(
    "/{post_id}",
    response_model=PostRead,
    responses=error_responses(NotFound) | UNLESS_KNOWN,
    dependencies=[ANONYMOUS],
)
async def get_post(post_id: PathId, response: Response) -> PostRead:
    """One post."""
    post = await posts.get_post(post_id)
    response.headers["ETag"] = etag(post.version)
    return post


@router.patch(
    "/{post_id}",
    response_model=PostRead,
    responses=error_responses(Forbidden, NotFound, Stale, PreconditionRequired),
    dependencies=[OWNER],
)
async def update_post(
    db: Db,
    user: CurrentUser,
    post_id: PathId,
    check_version: IfMatch,
    body: PostUpdate,
    response: Response,
) -> PostRead:
    """Change your own post."""
    changes = body.model_dump(exclude_unset=True)
    post = await posts.update_post(db, post_id, user, check_version, **changes)
    response.headers["ETag"] = etag(post.version)
    return post


@router.delete(
    "/{post_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=error_responses(Forbidden, NotFound, Stale),
    dependencies=[OWNER_OR_ADMIN],
)
async def delete_post(
    db: Db, user: CurrentUser, post_id: PathId, check_version: OptionalIfMatch
) -> None:
    """Delete your own post, or as an admin any."""
    await posts.delete_post(db, post_id, user, check_version)
