"""What a compiled statement cannot do is refused when its module is imported, with the way out."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    event,
    insert,
    select,
)
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.sql.dml import ReturningInsert

from plumbline.db.statements import CompiledInsert, CompiledSelect
from plumbline_tests.sandbox.database import AsyncSessionFactory, ReadSessionFactory, engine
from plumbline_tests.sandbox.models import Author, Book


def _in_a_list(*, ids: list[int]) -> Select[int]:
    return select(Book.id).where(Book.id.in_(ids))


def _in_a_parameter(*, limit: int) -> Select[int]:
    return select(Book.id).where(Book.id.in_(bindparam("ids", expanding=True))).limit(limit)


def _in_constants(*, limit: int) -> Select[int]:
    return select(Book.id).where(Book.id.in_([1, 2])).limit(limit)


def _text_for_a_number(*, book_id: str) -> Select[int]:
    return select(Book.id).where(Book.id == book_id)


def _number_for_a_text(*, title: int | None) -> Select[int]:
    return select(Book.id).where(Book.title == title)


def _unused(*, book_id: int, author_id: int) -> Select[int]:  # noqa: ARG001 - what is refused
    return select(Book.id).where(Book.id == book_id)


def _by_position(book_id: int) -> Select[int]:
    return select(Book.id).where(Book.id == book_id)


def _hidden_parameter(*, book_id: int) -> Select[int]:
    return select(Book.id).where(Book.id == book_id, Book.title == bindparam("title"))


REFUSED: dict[Callable[..., Select[int]], str] = {
    _in_a_list: r"write is_any_of\(column, values\)",
    _in_a_parameter: r"write is_any_of\(column, values\)",
    _in_constants: r"write is_any_of\(column, values\)",
    _text_for_a_number: "book_id: str, but the statement compares it with .*, which takes int",
    _number_for_a_text: "title: int, but the statement compares it with .*, which takes str",
    _unused: "does not use its parameter author_id",
    _by_position: r"values are given by name, so write `\*, book_id`",
    _hidden_parameter: "title: make it a parameter of a function",
}


@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_statement_that_cannot_be_compiled_once_is_refused(
    build: Callable[..., Select[int]],
) -> None:
    with pytest.raises(TypeError, match=REFUSED[build]):
        CompiledSelect(build, int)


def test_bindparam_without_a_function_is_refused() -> None:
    with pytest.raises(TypeError, match="book_id: make it a parameter of a function"):
        CompiledSelect(select(Book.id).where(Book.id == bindparam("book_id")), int)


def _from_other_values(context: Any) -> int:  # noqa: ANN401 - SQLAlchemy's
    return len(context.get_current_parameters()["name"])


def test_default_that_reads_other_values_is_refused() -> None:
    length = Column("length", Integer, default=_from_other_values)
    things = Table("things", MetaData(), Column("name", Text), length)

    def new(*, name: str) -> ReturningInsert[*tuple[Any, ...]]:
        return insert(things).values(name=name).returning(length)

    with pytest.raises(TypeError, match=r"things\.length: its default reads other values"):
        CompiledInsert(new)


def _by_author(*, author_id: int, title: str | None) -> Select[int]:
    return select(Book.id).where(Book.author_id == author_id, Book.title == title)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"author_id": 1}, "it needs title"),
        ({}, "it needs author_id, title"),
        ({"author_id": 1, "title": "x", "limit": 2}, "it has no parameter limit"),
        ({"author": 1, "title": "x"}, "it needs author_id; it has no parameter author"),
    ],
)
async def test_wrong_names_are_told(values: dict[str, Any], says: str) -> None:
    statement: CompiledSelect[..., int] = CompiledSelect(_by_author, int)

    with pytest.raises(TypeError, match=f"compiled statement: {says}$"):
        await statement.all(engine, **values)


def test_value_that_the_statement_keeps_for_itself_is_no_parameter() -> None:
    """SQLAlchemy calls the constant `title_1`."""

    def named(*, title_1: str) -> Select[int]:
        return select(Book.id).where(Book.title == "x", Author.name == title_1)

    statement = CompiledSelect(named, int)

    assert statement.sql.count("$") == 2


def _hide_drafts(state: ORMExecuteState) -> None:
    is_shown = with_loader_criteria(Book, Book.title != "draft")
    state.statement = state.statement.options(is_shown)


KINDS: dict[str, type[Session]] = {
    "by all sessions": Session,
    "by read sessions": ReadSessionFactory().sync_session_class,
    "by sessions that write": AsyncSessionFactory().sync_session_class,
}


@pytest.fixture(params=KINDS)
def drafts_hidden(request: pytest.FixtureRequest) -> Iterator[str]:
    event.listen(KINDS[request.param], "do_orm_execute", _hide_drafts)
    yield request.param
    event.remove(KINDS[request.param], "do_orm_execute", _hide_drafts)


async def test_criteria_for_all_statements_are_not_passed_by(drafts_hidden: str) -> None:
    find = CompiledSelect(select(Book.id), int)
    forced = CompiledSelect(select(Book.id), int, passes_by_listeners=True)

    async with ReadSessionFactory() as reader, AsyncSessionFactory.begin() as db:
        on = {"by read sessions": reader, "by sessions that write": db}.get(drafts_hidden, engine)
        with pytest.raises(TypeError, match="_hide_drafts listens to do_orm_execute"):
            await find.all(on)
        assert await forced.all(on) == []
