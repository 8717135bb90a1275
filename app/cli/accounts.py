"""`app user`: accounts."""

import sys
from collections.abc import Coroutine
from typing import Annotated, Any, Literal

import typer

from app.core.config import settings
from app.db.models import User
from app.db.schema import migrations
from app.db.session import AsyncSessionFactory, ReadSessionFactory, engine
from app.services import audit, users
from plumbline.cli.database import run_with
from plumbline.db.readiness import Readiness
from plumbline.errors import OperatorError

cli = typer.Typer(help="Accounts.", no_args_is_help=True)


@cli.command("create")
def create_user(
    username: Annotated[str, typer.Argument()],
    email: Annotated[str, typer.Argument()],
    role: Annotated[Literal["user", "admin"], typer.Option()] = "user",
) -> None:
    """Create an account; the password is asked for, or read from standard input."""
    from app.api.users import UserCreate  # noqa: PLC0415 - FastAPI, which other commands do not use

    body = UserCreate(username=username, email=email, password=_ask_password())

    async def create() -> None:
        async with AsyncSessionFactory.begin() as db:
            user = await users.create_user(db, **body.model_dump(), role=role)
            audit.record(db, "sign-up", actor_id=None, subject_id=user.id, detail=role)
        print(f"created {user.role} {user.username} with id {user.id}")

    _run(create())


Login = Annotated[str, typer.Argument(help="User name or e-mail.")]


@cli.command("set-password")
def set_password(login: Login) -> None:
    """Set a password and end all log-ins; asked for, or read from standard input."""
    from app.api.users import PasswordUpdate  # noqa: PLC0415 - as above

    body = PasswordUpdate(current_password="", new_password=_ask_password())

    async def change() -> None:
        user = await _find(login)
        async with AsyncSessionFactory.begin() as db:
            await users.set_password(db, user, body.new_password)
        print(f"{user.username} has a new password")

    _run(change())


@cli.command()
def deactivate(login: Login) -> None:
    """Refuse the user from the next request on; `PATCH /users/{id}` undoes it."""

    async def change() -> None:
        user = await _find(login)
        async with AsyncSessionFactory.begin() as db:
            await users.update_user(db, user.id, actor_id=None, is_active=False)
        print(f"{user.username} is deactivated")

    _run(change())


async def _find(login: str) -> User:
    async with ReadSessionFactory() as db:
        user, _ = await users.find_user_by_login(db, login)
    if user is None:
        raise OperatorError("there is no such user: `app user list` shows all")
    return user


@cli.command("list")
def list_users() -> None:
    """List all accounts, newest first."""

    async def show() -> None:
        async with AsyncSessionFactory.begin() as db:
            async for user in users.stream_users(db):
                state = "" if user.is_active else " (deactivated)"
                print(f"{user.id}\t{user.username}\t{user.email}\t{user.role}{state}")

    _run(show())


def _ask_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _run(work: Coroutine[Any, Any, None]) -> None:
    run_with(engine, Readiness(engine, settings, migrations), work)
