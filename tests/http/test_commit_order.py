"""A route whose session would commit after the response stops the start, in one line."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from app.db.session import engine
from app.main import app
from plumbline.http.commit_order import require_commit_before_response

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
    *(Database().session, Database(), partial(with_an_argument, maker=None)),
]


def _name(call: Any) -> str:  # noqa: ANN401 - any callable
    return getattr(call, "__name__", type(call).__name__)


@pytest.mark.parametrize("late", LATE, ids=_name)
def test_commit_after_the_response_stops_the_start(late: Dependency) -> None:
    service = FastAPI()

    @service.post("/orders")
    async def create_order(db: Annotated[object, Depends(late)]) -> None: ...

    with pytest.raises(RuntimeError, match="commits after the response of POST /orders has been"):
        require_commit_before_response(service)


def test_annotation_of_the_route_tells_what_a_generator_yields() -> None:
    service = FastAPI()
    elsewhere = partial(session_elsewhere, maker=factory)

    @service.post("/orders")
    async def create_order(db: Annotated[AsyncSession, Depends(elsewhere)]) -> None: ...

    with pytest.raises(RuntimeError, match="commits after the response of POST /orders"):
        require_commit_before_response(service)


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


@pytest.mark.parametrize("harmless", HARMLESS, ids=_name)
def test_what_commits_nothing_after_its_yield_is_let_be(harmless: Dependency) -> None:
    service = FastAPI()

    @service.post("/orders")
    async def create_order(db: Annotated[object, Depends(harmless)]) -> None: ...

    require_commit_before_response(service)


@pytest.mark.parametrize("prompt", LATE, ids=_name)
def test_scope_of_the_function_commits_before_the_response(prompt: Dependency) -> None:
    service = FastAPI()

    @service.post("/orders")
    async def create_order(db: Annotated[object, Depends(prompt, scope="function")]) -> None: ...

    require_commit_before_response(service)
    require_commit_before_response(app)


async def _list() -> None: ...


def _below_another() -> FastAPI:
    service = FastAPI()

    async def get_user(db: Annotated[AsyncSession, Depends(in_a_block)]) -> str:
        return str(db)

    @service.get("/orders")
    async def list_orders(user: Annotated[str, Depends(get_user, scope="function")]) -> None: ...

    return service


def _of_a_router() -> FastAPI:
    service, router = FastAPI(), APIRouter(dependencies=[Depends(in_a_block)])
    router.get("/orders")(_list)
    service.include_router(router)
    return service


def _of_an_inclusion() -> FastAPI:
    service, router, outer = FastAPI(), APIRouter(), APIRouter()
    router.get("/orders")(_list)
    outer.include_router(router, dependencies=[Depends(in_a_block)])
    service.include_router(outer)
    return service


def _of_the_application() -> FastAPI:
    service = FastAPI(dependencies=[Depends(in_a_block)])
    service.get("/orders")(_list)
    return service


def _mounted() -> FastAPI:
    service = FastAPI()
    service.mount("/admin", _of_the_application())
    return service


PLACES = [_below_another, _of_a_router, _of_an_inclusion, _of_the_application, _mounted]


@pytest.mark.parametrize("make", PLACES)
def test_commit_is_found_wherever_it_was_asked_for(make: Callable[[], FastAPI]) -> None:
    with pytest.raises(RuntimeError, match="in_a_block commits after the response of GET /orders"):
        require_commit_before_response(make())


def test_many_routes_are_one_line_and_one_who_knows_better_may_go_on() -> None:
    service = _of_the_application()
    service.get("/others")(_list)
    service.websocket("/live")(_live)

    with pytest.raises(RuntimeError) as refused:
        require_commit_before_response(service)
    require_commit_before_response(service, except_for=[in_a_block])

    assert str(refused.value) == (
        "in_a_block commits after the response of GET /orders (and 1 more) has been sent, which "
        'is lost when the commit fails: ask for it as Depends(in_a_block, scope="function")'
    )


async def _live(socket: WebSocket, db: Annotated[AsyncSession, Depends(in_a_block)]) -> None: ...
