"""An Idempotency-Key whose owner is not known belongs to everybody: one gets another's answer."""

from typing import Annotated
from uuid import UUID

import httpx2
import pytest
from fastapi import Depends, FastAPI, Header, Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.http.exception_handlers import install_problems
from plumbline.http.idempotency import (
    FindCaller,
    everybody,
    idempotent,
    install_idempotency,
    principal_id,
)
from plumbline.http.routing import resource
from plumbline_tests.pitfalls.tutorial import in_process
from plumbline_tests.sandbox.database import get_db
from plumbline_tests.sandbox.models import Note
from plumbline_tests.sandbox.service import answers

KEY = {"Idempotency-Key": "7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e"}


def _service(caller: FindCaller) -> FastAPI:
    """As people write it: a dependency that says who asks, and nothing that knows of keys."""

    async def find_user(request: Request, x_user: Annotated[str, Header()] = "") -> str:
        request.state.user = x_user
        return x_user

    app, router = FastAPI(), resource("notes", prefix="")
    db_once = Depends(idempotent(get_db, answers, caller))
    asks = Depends(find_user)

    @router.post("", dependencies=[asks])
    async def create_note(
        db: Annotated[AsyncSession, db_once], user: Annotated[str, asks]
    ) -> dict[str, str]:
        db.add(Note(text=user))
        return {"written_by": user}

    app.include_router(router)
    install_problems(app)
    install_idempotency(app)
    return app


async def _written_by(client: httpx2.AsyncClient, user: str) -> str:
    response = await client.post("/notes", headers=KEY | {"X-User": user})
    return str(response.json()["written_by"])


async def _notes(db: AsyncSession) -> int:
    return await db.scalar(select(func.count()).select_from(Note)) or 0


async def test_one_gets_the_answer_of_another_and_stores_nothing(db: AsyncSession) -> None:
    async with in_process(_service(everybody)) as client:
        told = [await _written_by(client, user) for user in ("ada", "bob")]

    assert told == ["ada", "ada"]
    assert await _notes(db) == 1


async def test_key_of_a_caller_who_is_told_apart_is_another_key(db: AsyncSession) -> None:
    async with in_process(_service(lambda request: str(request.state.user))) as client:
        told = [await _written_by(client, user) for user in ("ada", "bob", "ada")]

    assert told == ["ada", "bob", "ada"]
    assert await _notes(db) == 2


def test_session_that_does_not_know_whose_a_key_is_stops_the_start() -> None:
    with pytest.raises(TypeError, match=r"whose a key is.*caller=principal_id.*caller=everybody"):
        idempotent(get_db, answers)


def _nobody(_request: Request) -> UUID:
    return None  # type: ignore[return-value]


def _whether(_request: Request) -> int:
    return True


def _object(request: Request) -> str:
    return request.state  # type: ignore[return-value]


def _late(request: Request) -> str:
    """Changes between the claim and the answer, as where the check runs after the session."""
    request.state.asked = getattr(request.state, "asked", 0) + 1
    return f"{request.state.asked}"


NO_OWNER = {
    "a principal that nobody has set": principal_id,
    "None": _nobody,
    "an empty name": lambda _: "",
    "a truth": _whether,
    "an object": _object,
    "another one later": _late,
}


@pytest.mark.parametrize("caller", NO_OWNER.values(), ids=NO_OWNER)
async def test_key_without_an_owner_is_a_defect_and_stores_nothing(
    caller: FindCaller, db: AsyncSession
) -> None:
    async with in_process(_service(caller)) as client:
        without = await client.post("/notes")
        with pytest.raises(RuntimeError, match=r"id of who asks|whose the|after the key was"):
            await client.post("/notes", headers=KEY)

    assert without.status_code == 200
    assert await _notes(db) == 1
