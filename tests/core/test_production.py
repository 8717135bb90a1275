"""What production refuses to start with."""

import pytest

from app.core.config import Settings
from app.core.production import find_risks, find_warnings, require_safe_settings
from plumbline_tests.processes import python

SAFE = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://app:not-the-default@127.0.0.1:1/app",
    "ALLOWED_HOSTS": "api.example.com",
    "BASE_URL": "https://api.example.com",
    "DB_APPLICATION_ROLE": "app",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "true"),
        ("DATABASE_URL", "postgresql://postgres:postgres@db/app"),
        ("DATABASE_URL", "postgres://app:%70ostgre%73@db:5433/app?sslmode=require"),
        ("DATABASE_READ_URL", "postgresql://app:postgres@/app?host=db:5432"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "api.example.com, *"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0"),
        ("CORS_ORIGINS", "https://app.example.com, *"),
        ("BASE_URL", "http://api.example.com"),
    ],
)
def test_unsafe_setting_is_refused_with_one_line(name: str, value: str) -> None:
    settings = _settings(**{name: value})

    with pytest.raises(SystemExit) as ended:
        require_safe_settings(settings)

    told = str(ended.value)
    assert told.startswith(f"{name}: ")
    assert "\n" not in told


def test_production_does_not_start_with_an_unsafe_setting() -> None:
    process = python("-c", "import app.main", **SAFE, DEBUG="true")

    assert process.returncode == 1
    assert process.stderr.startswith("DEBUG: ")
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://postgres:postgres@db/app",
        "postgresql://postgres:%70%6F%73%74%67%72%65%73@db/app",
        "postgres://somebody:postgres@/app?host=db",
        "postgresql://p%6Fstgres:postgre%73@[2001:db8::1]:5432/app",
    ],
)
def test_password_that_everybody_knows_is_refused_however_it_is_spelled(url: str) -> None:
    assert [risk.split(":")[0] for risk in find_risks(_settings(DATABASE_URL=url))] == [
        "DATABASE_URL"
    ]


def test_password_that_everybody_knows_is_refused_in_the_variable_of_libpq_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = _settings(DATABASE_URL="postgresql://app@127.0.0.1/app")
    monkeypatch.setenv("PGPASSWORD", "postgres")

    assert len(find_risks(without)) == 1
    assert find_risks(_settings()) == []


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("LOGIN_LIMIT_PER_ACCOUNT", "0", "not limited"),
        ("LOGIN_LIMIT_PER_ACCOUNT", "100000", "hardly limited"),
        ("LIMIT_WINDOW_SECONDS", "1", "hardly limited"),
        ("DATABASE_URL", "postgresql://app:app@127.0.0.1/app", "name of the user"),
        ("DATABASE_URL", "postgresql://app:x@db.example.com/app", "without TLS"),
        ("DATABASE_URL", "postgresql://app:x@10.0.0.7/app?sslmode=prefer", "without TLS"),
        ("DATABASE_URL", "postgresql://app:x@/app?host=localhost,10.0.0.7:5432", "without TLS"),
        ("DB_APPLICATION_ROLE", "", "append-only"),
        ("DB_STATEMENT_TIMEOUT_SECONDS", "0", "for ever"),
        ("DB_LOCK_TIMEOUT_SECONDS", "0", "for ever"),
        ("DB_IDLE_TRANSACTION_TIMEOUT_SECONDS", "0", "for ever"),
        ("DB_POOL_SIZE", "1000", "PostgreSQL's default"),
        ("MAX_BODY_BYTES", "1073741824", "memory"),
        ("PASSWORD_HASH_THREADS", "64", "processors"),
    ],
)
def test_unwise_setting_is_a_warning(name: str, value: str, word: str) -> None:
    settings = _settings(**{name: value})

    warnings = find_warnings(settings)
    assert find_risks(settings) == []
    assert [line for line in warnings if word in line] == warnings != []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:x@localhost/app",
        "postgresql://app:x@127.0.0.9:5433/app",
        "postgresql://app:x@[::1]/app",
        "postgresql://app:x@/app?host=/var/run/postgresql",
        "postgresql://app:x@/app?host=localhost:5433",
        "postgresql://app:x@db/app?sslmode=verify-full",
        "postgresql+asyncpg://app:x@db/app?ssl=require",
    ],
)
def test_database_on_this_machine_or_with_tls_is_no_warning(url: str) -> None:
    assert find_warnings(_settings(DATABASE_URL=url)) == []


def _settings(**changed: str) -> Settings:
    return Settings(**(SAFE | changed))  # type: ignore[arg-type] # texts, as from the environment


def test_safe_settings_start_and_a_missing_limit_is_a_warning() -> None:
    process = python("-c", "import app.main", **SAFE, LOGIN_LIMIT_PER_ACCOUNT="0")

    assert process.returncode == 0
    assert "LOGIN_LIMIT_PER_ACCOUNT: is 0" in process.stderr


def test_check_lists_everything_that_production_would_refuse() -> None:
    process = python("-m", "app.cli", "check", "--production")

    names = [line.split(":")[0] for line in process.stdout.splitlines()]
    assert names == ["DATABASE_URL", "ALLOWED_HOSTS", "BASE_URL", "DB_APPLICATION_ROLE"]
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1


def test_check_of_safe_settings_says_so() -> None:
    process = python("-m", "app.cli", "check", "--production", **SAFE)

    assert (process.returncode, process.stdout) == (0, "The settings are fine.\n")
