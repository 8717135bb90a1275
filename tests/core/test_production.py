"""What production refuses to start with."""

import pytest

from tests.processes import python

SAFE = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://app:not-the-default@127.0.0.1:1/app",
    "ALLOWED_HOSTS": "api.example.com",
    "BASE_URL": "https://api.example.com",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "true"),
        ("DATABASE_URL", "postgresql://postgres:postgres@db/app"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "api.example.com, *"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0"),
        ("CORS_ORIGINS", "https://app.example.com, *"),
        ("BASE_URL", "http://api.example.com"),
    ],
)
def test_unsafe_setting_is_refused_with_one_line(name: str, value: str) -> None:
    process = python("-c", "import app.main", **SAFE | {name: value})

    assert process.returncode == 1
    assert process.stderr.startswith(f"{name}: ")
    assert process.stderr.count("\n") == 1


def test_safe_settings_start_and_a_missing_limit_is_a_warning() -> None:
    process = python("-c", "import app.main", **SAFE, LOGIN_LIMIT_PER_ACCOUNT="0")

    assert process.returncode == 0
    assert "LOGIN_LIMIT_PER_ACCOUNT: is 0" in process.stderr


def test_check_lists_everything_that_production_would_refuse() -> None:
    process = python("-m", "app.cli", "check", "--production")

    names = [line.split(":")[0] for line in process.stdout.splitlines()]
    assert names == ["DATABASE_URL", "ALLOWED_HOSTS", "BASE_URL"]
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1


def test_check_of_safe_settings_says_so() -> None:
    process = python("-m", "app.cli", "check", "--production", **SAFE)

    assert (process.returncode, process.stdout) == (0, "The settings are fine.\n")
