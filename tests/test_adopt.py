"""examples/adopt: the lesson's service loses a row after its 201; with the library it does not."""

import difflib
import importlib.util
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import httpx2
import psycopg
import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from plumbline.db.url import asyncpg_url
from plumbline.testing.cluster import Cluster
from plumbline.testing.server import serve
from plumbline_tests.proxy import Choose, Fate, Proxy, always
from tests.postgres import ROOT

EXAMPLE = ROOT / "examples/adopt"
BEFORE, AFTER = EXAMPLE / "before/main.py", EXAMPLE / "after/main.py"
NAME = "adopted"  # of the module
MOST_CHANGED_LINES = 15
POST = {"title": "Hello", "content": "World", "author_id": 1}


def test_library_is_adopted_in_15_lines() -> None:
    before, after = (file.read_text().splitlines() for file in (BEFORE, AFTER))
    compared = list(difflib.unified_diff(before, after, n=0, lineterm=""))
    changed = [line for line in compared[2:] if line.startswith(("+", "-"))]

    assert 0 < len(changed) <= MOST_CHANGED_LINES
    readme = (ROOT / "library/README.md").read_text()
    for line in changed:
        assert line in readme


@pytest.fixture(scope="session")
async def _with_tables(postgres: Cluster) -> URL:
    """A database with the example's tables, and one user."""
    url = make_url(postgres.create("adopt"))
    module = _load(BEFORE, url)
    made = create_async_engine(asyncpg_url(url))
    async with made.begin() as connection:
        await connection.run_sync(module.Base.metadata.create_all)
        await connection.execute(module.User.__table__.insert().values(id=1, username="ada"))
    await made.dispose()
    return url


@pytest.fixture
def database(_with_tables: URL) -> URL:
    """The same, without a post."""
    with _connect(_with_tables) as connection:
        connection.execute("DELETE FROM posts")
    return _with_tables


def _connect(database: URL) -> psycopg.Connection:
    return psycopg.connect(database.render_as_string(hide_password=False))


def _load(file: Path, url: URL) -> ModuleType:
    """The example's module, made for this database."""
    spec = importlib.util.spec_from_file_location(NAME, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        written = asyncpg_url(url).render_as_string(hide_password=False)
        patch.setenv("DATABASE_URL", written)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _forget_the_module() -> Iterator[None]:
    yield
    sys.modules.pop(NAME, None)


@asynccontextmanager
async def _served(
    file: Path, database: URL, choose: Choose, free_port: Callable[[], int]
) -> AsyncIterator[httpx2.AsyncClient]:
    """On a socket, with a network to PostgreSQL that decides what becomes of a COMMIT."""
    assert database.port
    proxy = Proxy(free_port(), database.port)
    proxy.choose = choose
    await proxy.accept()
    try:
        module = _load(file, database.set(host="127.0.0.1", port=proxy.port))
        async with serve(module.app) as address, httpx2.AsyncClient(base_url=address) as client:
            yield client
    finally:
        await proxy.close()


def _count(database: URL) -> int:
    with _connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM posts").fetchone()
    assert row is not None
    return int(row[0])


async def _first_is_cut(number: int) -> Fate:
    return Fate.CUT_BEFORE if number == 1 else Fate.PASS


FATES = {
    "whole": always(Fate.PASS),
    "cut": always(Fate.CUT_BEFORE),
    "first cut": _first_is_cut,
    "answer lost": always(Fate.CUT_AFTER),
}
NOBODY = {"author_id": 404}


@pytest.mark.parametrize(
    ("file", "fate", "change", "status", "rows"),
    [
        (BEFORE, "whole", {}, 201, 1),
        (BEFORE, "whole", NOBODY, 201, 0),  # the lesson's lie
        (BEFORE, "cut", {}, 201, 0),  # the same
        (BEFORE, "first cut", {}, 201, 0),  # the same
        (AFTER, "whole", {}, 201, 1),
        (AFTER, "whole", NOBODY, 409, 0),
        (AFTER, "cut", {}, 503, 0),
        (AFTER, "first cut", {}, 201, 1),
        (AFTER, "answer lost", {}, 201, 1),
    ],
)
async def test_answer_is_true_with_the_library_and_not_before(
    database: URL,
    free_port: Callable[[], int],
    file: Path,
    fate: str,
    change: dict[str, int],
    status: int,
    rows: int,
) -> None:
    async with _served(file, database, FATES[fate], free_port) as client:
        answer = await client.post("/posts", json=POST | change)

    assert answer.status_code == status
    assert _count(database) == rows


async def test_other_routes_answer_as_before(database: URL, free_port: Callable[[], int]) -> None:
    answers: list[list[object]] = []
    for file in (BEFORE, AFTER):
        async with _served(file, database, FATES["whole"], free_port) as client:
            created = (await client.post("/posts", json=POST)).json()
            one = (await client.get(f"/posts/{created['id']}")).json()
            missing = (await client.get("/posts/999")).json()["detail"]
            answers.append([one | {"id": 0}, missing])

    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("fate", "change", "status", "rows"), [("whole", NOBODY, 409, 0), ("first cut", {}, 503, 0)]
)
async def test_answer_is_true_with_sessions_and_problems_alone(
    database: URL,
    free_port: Callable[[], int],
    tmp_path: Path,
    fate: str,
    change: dict[str, int],
    status: int,
    rows: int,
) -> None:
    """Without load shedding nothing runs again."""
    alone = tmp_path / "alone.py"
    alone.write_text(re.sub(r"\binstall\b", "install_problems", AFTER.read_text()))

    async with _served(alone, database, FATES[fate], free_port) as client:
        answer = await client.post("/posts", json=POST | change)

    assert answer.status_code == status
    assert _count(database) == rows


def test_lesson_does_not_start_with_the_library_and_its_late_commit(
    database: URL, tmp_path: Path
) -> None:
    late = tmp_path / "late.py"
    late.write_text(AFTER.read_text().replace(', scope="function"', ""))

    with pytest.raises(
        RuntimeError, match=r"get_db commits after the response of POST /posts \(and"
    ):
        _load(late, database)
