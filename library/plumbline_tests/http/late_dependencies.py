"""Dependencies as people write them, that commit after their `yield`, and that do not."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from plumbline_tests.sandbox.database import engine

Dependency = Callable[..., Any]
factory = async_sessionmaker(engine, expire_on_commit=False)
sync_factory = sessionmaker[Session]()


async def of_the_lesson() -> AsyncSession:  # type: ignore[misc] # as people write it
    async with factory() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


async def with_else() -> AsyncIterator[AsyncSession]:
    async with factory() as session:
        try:
            yield session
        except Exception:
            await session.rollback()
            raise
        else:
            await session.commit()


async def in_a_block() -> AsyncIterator[AsyncSession]:
    async with factory.begin() as session:
        yield session


async def in_a_second_block() -> AsyncIterator[AsyncSession]:
    async with factory() as session, session.begin():
        yield session


async def of_a_connection() -> AsyncIterator[AsyncConnection]:
    async with engine.begin() as connection:
        yield connection


def without_async() -> Iterator[Session]:
    with sync_factory() as session:
        yield session
        session.commit()


async def without_annotation():  # type: ignore[no-untyped-def] # noqa: ANN201
    async with factory() as session:
        yield session
        await session.commit()


async def around_another() -> AsyncIterator[AsyncSession]:
    async for session in of_the_lesson():  # type: ignore[attr-defined]
        yield session


@asynccontextmanager
async def scope() -> AsyncIterator[AsyncSession]:
    async with factory() as session:
        yield session
        await session.commit()


async def of_a_manager() -> AsyncIterator[AsyncSession]:
    async with scope() as session:
        yield session


async def of_an_exit_stack() -> AsyncIterator[AsyncSession]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(factory.begin())


class UnitOfWork:
    def __init__(self) -> None:
        self.session = factory()

    async def __aenter__(self) -> AsyncSession:
        return self.session

    async def __aexit__(self, *error: object) -> None:
        if error[0] is None:
            await self.session.commit()


async def of_a_unit_of_work() -> AsyncIterator[AsyncSession]:
    async with UnitOfWork() as session:
        yield session


class Manager:
    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with factory() as session:
            yield session
            await session.commit()


manager = Manager()


async def of_a_method_of_an_object() -> AsyncIterator[AsyncSession]:
    async with manager.session() as session:
        yield session


class Work:
    async def start(self) -> None:
        self.session = factory()

    async def commit(self) -> None:
        await self.session.commit()


async def of_work_without_annotations():  # type: ignore[no-untyped-def] # noqa: ANN201
    work = Work()
    yield work
    await work.commit()


class Database:
    def __init__(self) -> None:
        self.factory = factory

    async def session(self):  # type: ignore[no-untyped-def] # noqa: ANN201
        async with self.factory.begin() as session:
            yield session

    async def __call__(self):  # type: ignore[no-untyped-def] # noqa: ANN204
        async with self.factory.begin() as session:
            yield session


async def with_an_argument(maker: object = None):  # type: ignore[no-untyped-def] # noqa: ANN201, ARG001
    async with factory.begin() as session:
        yield session


async def session_elsewhere(maker: Any):  # type: ignore[no-untyped-def] # noqa: ANN201, ANN401
    async with maker.begin() as session:
        yield session


LATE: list[Dependency] = [
    *(of_the_lesson, with_else, in_a_block, in_a_second_block, of_a_connection, without_async),
    *(without_annotation, around_another, of_a_manager, of_an_exit_stack, of_a_unit_of_work),
    *(of_a_method_of_an_object, of_work_without_annotations),
    *(Database().session, Database(), partial(with_an_argument, maker=None)),
]


async def that_reads() -> AsyncIterator[AsyncSession]:
    async with factory() as session:
        yield session


async def that_commits_before() -> AsyncIterator[str]:
    async with factory() as session:
        await session.commit()
    yield "user"


async def of_another_kind() -> AsyncIterator[object]:
    consumer: Any = object()
    yield consumer
    await consumer.commit()


async def that_only_defines() -> AsyncIterator[AsyncSession]:
    async with factory() as session:

        async def save() -> None:
            await session.commit()

        session.info["save"] = save
        yield session


async def with_a_savepoint() -> AsyncIterator[AsyncSession]:
    async with factory() as session, session.begin_nested():
        yield session


async def no_generator() -> AsyncSession:
    return factory()


HARMLESS: list[Dependency] = [
    *(that_reads, that_commits_before, of_another_kind, that_only_defines, with_a_savepoint),
    *(no_generator, UnitOfWork),
]
