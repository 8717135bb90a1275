"""Settings of the library, one class for each part: a service's own class inherits from them.

`load_settings` reads the environment first, then `.env`, then secrets. Names have their unit last.
"""

import os
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from plumbline.admission_settings import AdmissionSettings
from plumbline.development_settings import DevelopmentSettings
from plumbline.replica_settings import ReplicaSettings
from plumbline.setting_values import (
    checked_networks,
    checked_origins,
    normalise_url,
    place_of,
    wrong_settings,
)
from plumbline.telemetry_settings import TelemetrySettings

S = TypeVar("S", bound=BaseSettings)


class CommonSettings(BaseSettings):
    """What every part may ask; and what the service's command is called, for messages."""

    PROGRAM: ClassVar[str | None] = None  # no setting; None: the service has mounted no commands

    ENVIRONMENT: Literal["development", "production"] = Field(
        default="development", description="`production` logs JSON and refuses what loses data."
    )
    DEBUG: bool = Field(default=False, description="Log every SQL statement with its parameters.")


class DatabaseSettings(ReplicaSettings, CommonSettings):
    """Of the engine, its pool and its timeouts, and of migrations."""

    DATABASE_URL: Annotated[str, AfterValidator(normalise_url)] = Field(
        default="postgresql+asyncpg://postgres:postgres@localhost:5432/app",
        repr=False,
        description="Where PostgreSQL is; postgres:// and postgresql:// are accepted too.",
    )
    DB_POOL_SIZE: int = Field(
        default=10, ge=1, le=1000, description="Connections that a process keeps open."
    )
    DB_MAX_OVERFLOW: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Further connections at need; they stay open for a while.",
    )
    DB_OVERFLOW_IDLE_SECONDS: float = Field(
        default=30,
        gt=0,
        le=86_400,
        description="How long a connection above DB_POOL_SIZE stays open when nobody uses it.",
    )
    DB_POOL_TIMEOUT_SECONDS: float = Field(
        default=2,
        gt=0,
        le=60,
        description="How long a request waits for a connection before its 503.",
    )
    DB_POOL_RECYCLE_SECONDS: int = Field(
        default=1800, ge=60, le=86_400, description="A connection older than this is replaced."
    )
    DB_PRE_PING: bool = Field(
        default=True,
        description="Ask the server before a connection is used that was idle; one that the server "
        "has closed is noticed without it, too.",
    )
    DB_PING_IDLE_SECONDS: float = Field(
        default=30,
        ge=0,
        le=86_400,
        description="How long a connection must have been idle for that; 0: before each use.",
    )
    DB_PGBOUNCER: bool = Field(
        default=False,
        description="Work behind PgBouncer in transaction mode: nothing stays prepared, and the "
        "timeouts of PostgreSQL are its role's (ALTER ROLE ... SET statement_timeout = '3s').",
    )
    DB_CONNECT_TIMEOUT_SECONDS: float = Field(
        default=2, gt=0, le=60, description="How long opening a connection may take."
    )
    DB_COMMAND_TIMEOUT_SECONDS: float = Field(
        default=3.5,
        gt=0,
        le=600,
        description="How long this side waits for the answer to a statement.",
    )
    DB_STATEMENT_TIMEOUT_SECONDS: float = Field(
        default=3, ge=0, le=600, description="After this PostgreSQL cancels a statement; 0: never."
    )
    DB_LOCK_TIMEOUT_SECONDS: float = Field(
        default=2,
        ge=0,
        le=600,
        description="After this PostgreSQL gives up waiting for a lock; 0: never.",
    )
    DB_IDLE_TRANSACTION_TIMEOUT_SECONDS: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="After this PostgreSQL ends an idle transaction; 0: never.",
    )
    DB_CLIENT_CHECK_SECONDS: float = Field(
        default=0.1,
        ge=0,
        le=60,
        description="How often PostgreSQL looks, during a statement, if its client is gone; "
        "0: never (a PostgreSQL on Windows cannot).",
    )
    ALLOW_UNSAFE_DATABASE: bool = Field(
        default=False,
        description="Be ready in production on a PostgreSQL that can lose what it has stored.",
    )
    DB_APPLICATION_ROLE: str = Field(
        default="",
        pattern=r"^[a-z_][a-z0-9_]*$|^$",
        description="`db upgrade` lets this role use the tables, and only add to append-only ones.",
    )
    MIGRATION_LOCK_TIMEOUT_SECONDS: float = Field(
        default=0.3,
        gt=0,
        le=60,
        description="How long a migration may make others queue behind its lock.",
    )
    MIGRATION_TRIES: int = Field(
        default=20, ge=1, le=1000, description="How often a migration tries to get its lock."
    )


class BodySettings(BaseSettings):
    """Of what is kept in memory of requests and answers."""

    MAX_BODY_BYTES: int = Field(
        default=1_048_576,
        ge=1024,
        le=1_073_741_824,
        description="A larger request body is refused (413).",
    )
    MAX_WAITING_BYTES: int = Field(
        default=67_108_864,
        ge=1_048_576,
        le=1_099_511_627_776,
        description="Bodies that are coming in, in sum: more get a 503. As many bytes of answers "
        "wait for slow readers; beyond it the slowest are cut off.",
    )
    BODY_TIMEOUT_SECONDS: float = Field(
        default=30, gt=0, le=3600, description="How long a request's body may take to come (408)."
    )


class HttpSettings(
    TelemetrySettings, BodySettings, DevelopmentSettings, AdmissionSettings, CommonSettings
):
    """Of the parts that `install` adds to an application."""

    MAX_PAGE_BYTES: int = Field(
        default=1_048_576,
        ge=1024,
        le=1_073_741_824,
        description="Text on one page of a list; it ends early, after one item at least.",
    )
    TRUSTED_PROXIES: Annotated[str, AfterValidator(checked_networks)] = Field(
        default="",
        description="Networks whose X-Forwarded-For is believed: 10.0.0.0/8,::1; empty: none.",
    )
    ALLOWED_HOSTS: str = Field(
        default="*",
        description="Host names that are answered, as in api.example.com,*.example.com.",
    )
    CORS_ORIGINS: Annotated[str, AfterValidator(checked_origins)] = Field(
        default="",
        description="Origins whose pages may call this service: https://app.example.com; empty: "
        "none; *: all.",
    )
    BASE_URL: str = Field(
        default="http://127.0.0.1:8000",
        pattern=r"^https?://[^/?#]+$",
        description="Where callers find this service; https:// adds Strict-Transport-Security.",
    )
    ALLOW_HTTP: bool = Field(
        default=False, description="Accept a BASE_URL without https in production."
    )


class ServerSettings(BodySettings, CommonSettings):
    """Of the server: its connections, and how it stops."""

    MAX_HEAD_BYTES: int = Field(
        default=32_768, ge=1024, le=1_048_576, description="A larger request head is refused (431)."
    )
    MAX_HEADERS: int = Field(
        default=100,
        ge=16,
        le=10_000,
        description="Header lines of a request; more are refused (431).",
    )
    HEAD_TIMEOUT_SECONDS: float = Field(
        default=10, gt=0, le=3600, description="How long a request's head may take to come (408)."
    )
    SEND_TIMEOUT_SECONDS: float = Field(
        default=30,
        gt=0,
        le=3600,
        description="How long a client may take to read 64 KiB of its answer.",
    )
    STOP_DELAY_SECONDS: float = Field(
        default=0,
        ge=0,
        le=300,
        description="How long after SIGTERM new connections are accepted, while /readyz says 503; "
        "0 where a successor shares the socket, some 5 behind a load balancer.",
    )
    DRAIN_SECONDS: float = Field(
        default=1,
        ge=0,
        le=300,
        description="Then: how long open connections may bring a last request.",
    )
    STOP_TIMEOUT_SECONDS: int = Field(
        default=20, ge=1, le=3600, description="Then: how long running requests have to finish."
    )


class IdempotencySettings(BaseSettings):
    """Of the Idempotency-Key."""

    IDEMPOTENCY_SECONDS: int = Field(
        default=86_400, ge=60, le=2_592_000, description="How long an Idempotency-Key is kept."
    )


class RateLimitSettings(BaseSettings):
    """Of limits."""

    WRITE_LIMIT_PER_USER: int = Field(
        default=9_000,
        ge=0,
        le=100_000_000,
        description="Writes of one user to one process; 0: no limit.",
    )
    LIMIT_WINDOW_SECONDS: int = Field(
        default=900, ge=1, le=86_400, description="The time for which limits count."
    )


class SweepSettings(BaseSettings):
    """Of the removal of rows that have expired."""

    SWEEP_SECONDS: float = Field(
        default=60,
        ge=0,
        le=86_400,
        description="How often a process removes rows that have expired; 0: others do it.",
    )


class Settings(
    DatabaseSettings,
    HttpSettings,
    ServerSettings,
    IdempotencySettings,
    RateLimitSettings,
    SweepSettings,
):
    """All of them: `class Settings(plumbline.Settings)` adds a service's own."""

    model_config = SettingsConfigDict(env_file=".env")


def load_settings(kind: type[S]) -> S:
    """The settings: of the environment, of the file that ENV_FILE names or of `.env`, of secrets.

    A secret is a file of the folder that SECRETS_DIR names, or of /run/secrets, called as the
    setting is. A wrong setting ends the process with a line that names it, without its value.
    """
    try:
        env_file, folder = place_of("ENV_FILE", ".env"), place_of("SECRETS_DIR", "/run/secrets")
        return kind(_env_file=env_file, _secrets_dir=folder)
    except UnicodeDecodeError:
        raise SystemExit(f"{os.environ.get('ENV_FILE', '.env')}: is not UTF-8 text") from None
    except SettingsError as error:  # its words name the setting, and not the value
        raise SystemExit(f"cannot be read, or is not UTF-8 text: {error}") from None
    except OSError as error:
        raise SystemExit(f"{error.filename}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise SystemExit("\n".join(wrong_settings(kind, error))) from None
