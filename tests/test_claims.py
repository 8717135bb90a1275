"""What the pages say of the code is true: its files, names and commands, and each claim about all.

A sentence that says something of every file, route or dependency needs a line in CLAIMS: the
sentence, and how to look whether it is so. When the code changes, or the sentence, a test fails.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from app.cli.commands import cli
from plumbline.db import readiness
from tests.postgres import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("app", "library/plumbline")
CODE = {path: path.read_text() for each in FOLDERS for path in sorted((ROOT / each).rglob("*.py"))}
ABOUT_ALL = re.compile(
    r"\b[Nn]o (file|module|dependency|route|function)s? (of|has|does|names)\b"
    r"|\b(knows?|imports?) neither\b|[Oo]nly `app/|[Nn]othing is encrypted|encrypts|are encrypted,"
)


@dataclass(frozen=True)
class Claim:
    """`sentence`, or as much of it as says it, stands on `page`; `holds` is whether it is so."""

    page: str
    sentence: str
    holds: Callable[[], bool]


def _files_with(pattern: str, where: str = "") -> set[str]:
    found = re.compile(pattern, re.MULTILINE)
    names = {str(path.relative_to(ROOT)): text for path, text in CODE.items()}
    return {name for name, text in names.items() if name.startswith(where) and found.search(text)}


def _says(file: str, words: str) -> bool:
    return words in (ROOT / file).read_text()


def _yield_in_a_try(tree: ast.AST) -> Iterator[str]:
    """Functions whose own `try: … except` has a yield among its lines, but not in a with."""
    for function in ast.walk(tree):
        if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
            tries = [node for node in ast.walk(function) if isinstance(node, ast.Try)]
            lines = [line for node in tries if node.handlers for line in node.body]
            if any(isinstance(line, ast.Expr) and _is_yield(line) for line in lines):
                yield function.name


def _is_yield(line: ast.Expr) -> bool:
    return isinstance(line.value, ast.Yield)


CLAIMS = [
    Claim(
        "README.md",
        "settings and passwords; imports neither FastAPI nor SQLAlchemy",
        lambda: not _files_with(r"^(from|import) (fastapi|starlette|sqlalchemy)", "app/core"),
    ),
    Claim(
        "docs/pitfalls.md",
        "No file of the service or the library makes a `Session`, or a blocking engine",
        lambda: (
            not _files_with(r"(= |with )Session\(")
            and _files_with(r"^from sqlalchemy import [^.]*\bcreate_engine\b")
            <= _files_with(r"^from plumbline.db.url import psycopg_url")
        ),
    ),
    Claim(
        "docs/pitfalls.md",
        "Only `library/plumbline/db/session.py`, `library/plumbline/db/owned_session.py`, "
        "`library/plumbline/db/statements.py` and "
        "`library/plumbline/db/after_commit.py` name",
        lambda: (
            _files_with(r"\.sync_session\b")
            == {
                "library/plumbline/db/session.py",
                "library/plumbline/db/owned_session.py",
                "library/plumbline/db/statements.py",
                "library/plumbline/db/after_commit.py",
            }
        ),
    ),
    Claim(
        "docs/pitfalls.md",
        "selects the columns of both tables in one statement. "
        "No file of `app/` loads a relationship.",
        lambda: not _files_with("joinedload|selectinload|subqueryload"),
    ),
    Claim(
        "docs/pitfalls.md",
        "no dependency has an `except` directly around its `yield`",
        lambda: (
            not any(
                list(_yield_in_a_try(ast.parse(text)))
                for path, text in CODE.items()
                if {"api", "http", "session.py"} & {*path.parts}  # others give no dependencies
            )
        ),
    ),
    Claim(
        "docs/pitfalls.md",
        "the connection itself finds out",
        lambda: (
            _says("library/plumbline/db/connection.py", "await self.find_outcome(committing)")
            and _says("app/db/session.py", "async with AsyncSessionFactory.begin() as session:")
        ),
    ),
    Claim(
        "docs/pitfalls.md",
        "It is a dependency of this project: `make setup` brings it.",
        lambda: any(name.startswith("asyncpg") for name in _dependencies()),
    ),
    Claim(
        "docs/pitfalls.md",
        "The import in `library/plumbline/db/__init__.py` turns the error into that line",
        lambda: _says(
            "library/plumbline/db/__init__.py", '"asyncpg is not installed: pip install asyncpg"'
        ),
    ),
    Claim(
        "docs/pitfalls.md",
        "no route has two sessions in its tree of dependencies",  # and test_route_guards.py
        lambda: _says(
            "library/plumbline/http/idempotency.py", "db: Annotated[AsyncSession, Depends(get_db,"
        ),
    ),
    Claim(
        "docs/pitfalls.md",
        "No file of `app/` has the old style; migrations may use",
        lambda: (
            not {
                name
                for name in _files_with(
                    r"\.query\(|[^_]sessionmaker\(|declarative_base\(|[^_]Column\("
                )
                if "migrations" not in name
            }
        ),
    ),
    Claim(
        "docs/security.md",
        "Only kept answers are encrypted, with AES-GCM",
        lambda: (
            _files_with("hazmat|import AES", "") == {"library/plumbline/http/idempotency.py"}
            and _says("library/plumbline/http/idempotency.py", "ciphers.aead import AESGCM")
        ),
    ),
    Claim(
        "docs/security.md",
        "AES-GCM with 256 bits, and no other",
        lambda: (
            _says("library/plumbline/http/idempotency.py", '"sha256")')
            and _says("library/plumbline/http/idempotency.py", 'AESGCM(_hmac(secret, "answer"))')
        ),
    ),
    Claim(
        "docs/adr/0005-start-without-a-database.md",
        "can the database be reached, is it durable, has its schema the revision",
        lambda: "version_num" in readiness._REVISION and "fsync" in readiness.DURABILITY,
    ),
    Claim(
        "docs/adr/0015-reads-at-the-cost-of-the-driver.md",
        "no route does anything for it",
        lambda: not _files_with(r"if.none.match|unless_known|known_versions", "app/api"),
    ),
    Claim(
        "docs/adr/0001-commit-before-the-response.md",
        'asks for `Depends(get_db, scope="function")`, and that scope decides',
        lambda: _says("library/plumbline/http/idempotency.py", 'Depends(get_db, scope="function")'),
    ),
]


def _dependencies() -> list[str]:
    files = [ROOT / "pyproject.toml", ROOT / "library/pyproject.toml"]
    projects = [tomllib.loads(file.read_text())["project"] for file in files]
    return [name for project in projects for name in project["dependencies"]]


def _prose(page: Path) -> str:
    """In one line; fenced blocks stay, since the README's table of folders is one."""
    return " ".join(page.read_text().split())


def test_each_promise_of_reliability_is_proved_on_the_sandbox() -> None:
    text = (ROOT / "docs/reliability.md").read_text()
    promises = re.split(r"^## ", text, flags=re.MULTILINE)[1:-1]  # the last has the figures

    assert [each[:2] for each in promises][-1] == "10"
    without = [each for each in promises if "`library/plumbline_tests/" not in each]
    assert without == []


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.sentence)
def test_claim_holds(claim: Claim) -> None:
    assert claim.sentence in _prose(ROOT / claim.page)
    assert claim.holds()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentence_about_all_has_its_claim(page: Path) -> None:
    claimed = [claim.sentence for claim in CLAIMS if ROOT / claim.page == page]
    prose = _prose(page)
    for sentence in claimed:
        prose = prose.replace(sentence, "")

    assert [found[0] for found in ABOUT_ALL.finditer(prose)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    prose = _prose(page)
    files = re.findall(
        r"`((?:app|library|tests|docs|scripts|benchmarks|requirements)/[\w./-]*\w)", prose
    )
    names = re.findall(
        r"`(\w+)`(?:, \w+,)? (?:in|of) `((?:app|library|tests)/[\w./-]+\.py)`", prose
    )

    assert [n for n in files if not (ROOT / n).exists() and n not in _of_the_recipe(page)] == []
    assert [pair for pair in names if not re.search(rf"\b{pair[0]}\b", _text(pair[1]))] == []


def _of_the_recipe(page: Path) -> set[str]:
    """CONTRIBUTING.md adds a resource that is not there."""
    made = ("db/models/tag", "services/tags", "api/tags")
    recipe = {f"app/{name}.py" for name in made} | {"tests/api/test_tags.py"}
    return recipe if page.name == "CONTRIBUTING.md" else set()


def _text(file: str) -> str:
    return (ROOT / file).read_text()


def _commands() -> set[str]:
    """As in `db upgrade` and `serve`."""
    commands: dict[str, object] = vars(typer.main.get_command(cli))["commands"]
    return set(commands) | {
        f"{name} {below}"
        for name, command in commands.items()
        for below in getattr(command, "commands", {})
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_a_page_exist(page: Path) -> None:
    text = page.read_text()
    told = re.findall(r"(?:`|^|bin/)app ((?:db|user) [a-z-]+|[a-z]+)", text, re.MULTILINE)
    targets = set(re.findall(r"`make ([a-z]+)", text))

    assert set(told) - _commands() == set()
    assert {target for target in targets if not _is_target(target)} == set()
    # make brings what is locked; ADR 2 says why not these.
    assert "adr" in str(page) or not re.search(r"`uv (sync|run|pip)", text)


def _is_target(name: str) -> bool:
    return re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
