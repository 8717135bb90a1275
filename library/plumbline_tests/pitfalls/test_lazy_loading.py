"""MissingGreenlet for a relationship: it was not loaded with the query."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm.exc import DetachedInstanceError

from plumbline.http.routing import View
from plumbline_tests.pitfalls.tutorial import PAGE, Author, in_process, is_documented, make_author
from plumbline_tests.sandbox import models
from plumbline_tests.sandbox.database import AsyncSessionFactory
from plumbline_tests.sandbox.service import ReadDb


async def test_lazy_relationship_raises(sandbox: AsyncEngine) -> None:
    author = await make_author(sandbox)

    async with AsyncSession(sandbox) as session:
        found = await session.get_one(Author, author.id)
        with pytest.raises(MissingGreenlet) as caught:
            _ = found.books

    assert is_documented(caught.value)


async def test_lazy_relationship_of_a_closed_session_raises(sandbox: AsyncEngine) -> None:
    author = await make_author(sandbox)
    async with AsyncSession(sandbox) as session:
        found = await session.get_one(Author, author.id)

    with pytest.raises(DetachedInstanceError) as caught:
        _ = found.books

    assert is_documented(caught.value)


class BookRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    title: str


class AuthorRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    books: list[BookRead]


async def test_lazy_relationship_in_a_response_is_a_validation_error(sandbox: AsyncEngine) -> None:
    author = await make_author(sandbox)
    library = FastAPI()

    async def get_db() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(sandbox) as session:
            yield session

    @library.get("/", response_model=AuthorRead)
    async def read(db: Annotated[AsyncSession, Depends(get_db)]) -> Author:
        return await db.get_one(Author, author.id)

    async with in_process(library) as client:
        with pytest.raises(ResponseValidationError) as caught:
            await client.get("/")

    assert caught.value.__cause__ is None
    assert _is_documented_attribute_error(caught.value, at=("response", "books"))


def _is_documented_attribute_error(error: ResponseValidationError, at: tuple[str, ...]) -> bool:
    found: list[dict[str, Any]] = [dict(each) for each in error.errors()]
    message = found[0]["msg"].partition(" (Background on")[0]
    assert (found[0]["type"], found[0]["loc"]) == ("get_attribute_error", at)
    return f"{message}\n" in PAGE.read_text()


@pytest.mark.parametrize(("model", "name"), [(models.Author, "books"), (models.Book, "author")])
async def test_relationship_of_the_service_that_was_not_loaded_is_named(
    book: models.Book, model: type[models.Author | models.Book], name: str
) -> None:
    async with AsyncSessionFactory() as db:
        found = await db.get_one(model, book.author_id if model is models.Author else book.id)
        with pytest.raises(InvalidRequestError, match=f"'{model.__name__}.{name}'") as caught:
            getattr(found, name)

    assert is_documented(caught.value)


class _PostView(View):
    author: object


async def test_relationship_of_the_service_missing_in_an_answer_is_named(
    book: models.Book,
) -> None:
    service = FastAPI()

    @service.get("/", response_model=_PostView)
    async def read(db: ReadDb) -> models.Book:
        return await db.get_one(models.Book, book.id)

    async with in_process(service) as client:
        with pytest.raises(ResponseValidationError, match=r"'Book\.author' is not") as caught:
            await client.get("/")

    assert _is_documented_attribute_error(caught.value, at=("response", "author"))
