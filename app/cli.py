"""The `app` command."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
import uvicorn
from pydantic import ValidationError
from sqlalchemy import select
from typer.exceptions import Abort, TyperException

from app.api.users import PasswordUpdate, UserCreate
from app.core.config import settings
from app.core.errors import AppError, OperatorError, Unavailable
from app.core.logging import configure_logging
from app.core.production import find_risks, find_warnings
from app.db import drift, migrate
from app.db.diagram import draw_tables
from app.db.embedded import GUARD, run_postgres
from app.db.failures import DATABASE_ERRORS, classify, explain
from app.db.models import User
from app.db.session import AsyncSessionFactory, ReadSessionFactory, engine
from app.db.url import asyncpg_url
from app.services import audit, users

cli = typer.Typer(
    help="Run and look after the service. Settings come from the environment and from .env.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
db_cli = typer.Typer(help="The database's schema.", no_args_is_help=True)
user_cli = typer.Typer(help="Accounts.", no_args_is_help=True)
cli.add_typer(db_cli, name="db")
cli.add_typer(user_cli, name="user")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
DataDir = Annotated[Path, typer.Option(help="Folder of the embedded PostgreSQL.")]
Revision = Annotated[str, typer.Argument(help="A revision, `head`, `base`, or steps as in -1.")]


def main() -> NoReturn:
    """Run a command; whatever goes wrong for a known reason is one line on standard error."""
    signal.signal(signal.SIGTERM, _stop)  # as Ctrl-C: so that what a command started ends with it
    try:
        sys.exit(cli(standalone_mode=False) or 0)
    except TyperException as error:  # wrong use
        message, code = f"{error.format_message()} See `app --help`.", error.exit_code
    except ValidationError as error:  # pydantic's own text would repeat the password
        message, code = " ".join(f"{e['loc'][0]}: {e['msg']}." for e in error.errors()), 2
    except AppError as error:
        fields = [f"{e.field} {e.message}." for e in error.errors]
        message, code = " ".join([error.detail, *fields]), 1
    except OperatorError as error:
        message, code = str(error), 1
    except (Abort, KeyboardInterrupt):
        message, code = "stopped", 130
    _say(" ".join(message.split()))
    sys.exit(code)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(message: str) -> None:
    print(f"app: {message}", file=sys.stderr, flush=True)


@cli.command()
def dev(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data_dir: DataDir = Path(".postgres"),
    *,
    reload: Annotated[bool, typer.Option(help="Restart when a file changes.")] = True,
) -> None:
    """Develop: PostgreSQL (or DATABASE_URL where it is set), migrations, the server with reload."""
    configure_logging()
    if "DATABASE_URL" in settings.model_fields_set:
        shown = asyncpg_url().render_as_string()  # without the password
        _develop(settings.DATABASE_URL, host, port, reload=reload, shown=shown)
        return
    with run_postgres(data_dir, say=_say) as server:
        _develop(server.url(), host, port, reload=reload, shown=server.url())


@cli.command()
def postgres(port: Port = 5432, data_dir: DataDir = Path(".postgres")) -> None:
    """Run the embedded PostgreSQL alone, until Ctrl-C."""
    with run_postgres(data_dir, port=port, say=_say) as server:
        _say(f"PostgreSQL is at {server.url()}; Ctrl-C stops it")
        if code := server.process.wait():
            raise OperatorError(f"PostgreSQL stopped ({code}): see {data_dir / 'postgres.log'}")


@cli.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
) -> None:
    """Serve DATABASE_URL in production."""
    uvicorn.run(
        "app.main:app",
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # TRUSTED_PROXIES decides whom to believe
    )


def _develop(url: str, host: str, port: int, *, reload: bool, shown: str) -> None:
    """Migrate, then serve in a process of its own, which reads the settings anew."""
    _say("migrating the database")
    migrate.upgrade(url)
    _say(f"database   {shown}")
    _say(f"API        http://{host}:{port}/api/v1/posts")
    _say(f"try it     http://{host}:{port}/docs")
    command = [sys.executable, "-m", "uvicorn", "app.main:app", f"--host={host}", f"--port={port}"]
    command += ["--no-proxy-headers"]
    command += ["--reload", f"--reload-dir={Path(__file__).parent}"] if reload else []
    guarded = ["/bin/sh", "-c", GUARD, "server", *command]
    environment = os.environ | {"DATABASE_URL": url}
    with subprocess.Popen(  # noqa: S603 - our own words
        guarded, env=environment, stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        if code := child.wait():
            raise OperatorError(f"the server stopped with code {code}")


@cli.command("check")
def check_settings(
    *, production: Annotated[bool, typer.Option(help="As if ENVIRONMENT were production.")] = False
) -> None:
    """Say which settings production would refuse."""
    production = production or settings.ENVIRONMENT == "production"
    risks = find_risks(settings) if production else []
    for line in [*risks, *find_warnings(settings)]:
        print(line)
    if risks:
        raise OperatorError("production does not start with these settings")
    print("The settings are fine.")


@db_cli.command()
def upgrade(revision: Revision = "head") -> None:
    """Migrate up; safe to run on several machines at once."""
    configure_logging()
    migrate.upgrade(revision=revision)
    if settings.DB_APPLICATION_ROLE:
        migrate.grant(settings.DB_APPLICATION_ROLE)


@db_cli.command()
def downgrade(revision: Revision = "-1") -> None:
    """Migrate down."""
    configure_logging()
    migrate.downgrade(revision=revision)


@db_cli.command()
def revision(
    message: Annotated[str, typer.Argument(help="What it changes, in a few words.")],
) -> None:
    """Write the migration from what the migrations so far make to what the models say."""
    configure_logging()
    _say("migrating a throw-away PostgreSQL to compare with the models")
    with drift.throw_away_postgres() as server:
        migrate.upgrade(server.url())
        migrate.revision(message, server.url())


@db_cli.command()
def check() -> None:
    """Prove, on a throw-away PostgreSQL, that the migrations make exactly what the models say."""
    _say("comparing them on a throw-away PostgreSQL")
    if differences := drift.find_drift():
        print(differences)
        raise OperatorError("models and migrations differ: run `app db revision` and correct it")
    print("Models and migrations agree.")


@db_cli.command()
def draw() -> None:
    """Print the tables as a Mermaid diagram."""
    print(draw_tables())


@db_cli.command()
def current() -> None:
    """Show the revision that the database is at, and the one that this program needs."""
    print(f"database {migrate.current_revision()}, program {migrate.head_revision()}")


@user_cli.command("create")
def create_user(
    username: Annotated[str, typer.Argument()],
    email: Annotated[str, typer.Argument()],
    role: Annotated[Literal["user", "admin"], typer.Option()] = "user",
) -> None:
    """Create an account; the password is asked for, or read from standard input."""
    body = UserCreate(username=username, email=email, password=_ask_password())

    async def create() -> None:
        async with AsyncSessionFactory.begin() as db:
            user = await users.create_user(db, **body.model_dump(), role=role)
            audit.record(db, "sign-up", actor_id=None, subject_id=user.id, detail=role)
        print(f"created {user.role} {user.username} with id {user.id}")

    _run(create())


Login = Annotated[str, typer.Argument(help="User name or e-mail.")]


@user_cli.command("set-password")
def set_password(login: Login) -> None:
    """Set a password and end all log-ins; asked for, or read from standard input."""
    body = PasswordUpdate(current_password="", new_password=_ask_password())

    async def change() -> None:
        user = await _find(login)
        async with AsyncSessionFactory.begin() as db:
            await users.set_password(db, user, body.new_password)
        print(f"{user.username} has a new password")

    _run(change())


@user_cli.command()
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


@user_cli.command("list")
def list_users() -> None:
    """List all accounts, newest first."""

    async def show() -> None:
        async with AsyncSessionFactory() as db:
            async for user in await db.stream_scalars(select(User).order_by(User.id.desc())):
                state = "" if user.is_active else " (deactivated)"
                print(f"{user.id}\t{user.username}\t{user.email}\t{user.role}{state}")

    _run(show())


def _ask_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end and give the connections back; an error becomes its one line."""

    async def run() -> None:
        try:
            await coroutine
        except DATABASE_ERRORS as error:
            meaning = classify(error)
            if meaning is None or isinstance(meaning, Unavailable):
                raise OperatorError(explain(error)) from error
            raise meaning from error
        finally:
            await engine.dispose()

    asyncio.run(run())


if __name__ == "__main__":
    main()
