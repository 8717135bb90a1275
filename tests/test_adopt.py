"""examples/adopt: the lesson's service loses a row after its 201; with the library it does not."""

import difflib
import importlib.util
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

from plumbline.db.embedded import Server
from plumbline.db.url import asyncpg_url
from tests.conftest import administrator, clone_database, serve
from tests.faults.proxy import Choose, Fate, Proxy, always
from tests.postgres import ROOT

EXAMPLE = ROOT / "examples/adopt"
MOST_CHANGED_LINES = 15
POST = {"title": "Hello", "content": "World", "author_id": 1}


def _lines(version: str) -> list[str]:
    return (EXAMPLE / version / "main.py").read_text().splitlines()


def test_library_is_adopted_in_15_lines() -> None:
    compared = list(difflib.unified_diff(_lines("before"), _lines("after"), n=0, lineterm=""))
    changed = [line for line in compared[2:] if line.startswith(("+", "-"))]

    assert 0 < len(changed) <= MOST_CHANGED_LINES
    readme = (ROOT / "library/README.md").read_text()
    for line in changed:
        assert line in readme


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[URL]:
    """With the example's tables, and one user."""
    url = make_url(clone_database(postgres, "adopt", "template1"))
    module = _load("before", url)
    made = create_async_engine(asyncpg_url(url))
    async with made.begin() as connection:
        await connection.run_sync(module.Base.metadata.create_all)
        await connection.execute(module.User.__table__.insert().values(id=1, username="ada"))
    await made.dispose()
    yield url
    with administrator(postgres) as admin:
        admin.execute("DROP DATABASE adopt WITH (FORCE)")


def _load(version: str, url: URL) -> ModuleType:
    """The example's module, made for this database."""
    spec = importlib.util.spec_from_file_location(f"adopt_{version}", EXAMPLE / version / "main.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        written = asyncpg_url(url).render_as_string(hide_password=False)
        patch.setenv("DATABASE_URL", written)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    yield
    for version in ("before", "after"):
        sys.modules.pop(f"adopt_{version}", None)


@asynccontextmanager
async def _served(
    version: str, database: URL, choose: Choose, free_port: Callable[[], int]
) -> AsyncIterator[httpx2.AsyncClient]:
    """On a socket, with a network to PostgreSQL that decides what becomes of a COMMIT."""
    assert database.port
    proxy = Proxy(free_port(), database.port)
    proxy.choose = choose
    await proxy.accept()
    module = _load(version, database.set(host="127.0.0.1", port=proxy.port))
    async with serve(module.app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client
    await proxy.close()


def _count(database: URL) -> int:
    with psycopg.connect(database.render_as_string(hide_password=False)) as connection:
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
    ("version", "fate", "change", "status", "rows"),
    [
        ("before", "whole", {}, 201, 1),
        ("before", "whole", NOBODY, 201, 0),  # the lesson's lie
        ("before", "cut", {}, 201, 0),  # the same
        ("before", "first cut", {}, 201, 0),  # the same
        ("after", "whole", {}, 201, 1),
        ("after", "whole", NOBODY, 409, 0),
        ("after", "cut", {}, 503, 0),
        ("after", "first cut", {}, 201, 1),
        ("after", "answer lost", {}, 201, 1),
    ],
)
async def test_answer_is_true_with_the_library_and_not_before(
    database: URL,
    free_port: Callable[[], int],
    version: str,
    fate: str,
    change: dict[str, int],
    status: int,
    rows: int,
) -> None:
    async with _served(version, database, FATES[fate], free_port) as client:
        answer = await client.post("/posts", json=POST | change)

    assert answer.status_code == status
    assert _count(database) == rows


async def test_other_routes_answer_as_before(database: URL, free_port: Callable[[], int]) -> None:
    answers: list[list[object]] = []
    for version in ("before", "after"):
        async with _served(version, database, FATES["whole"], free_port) as client:
            created = (await client.post("/posts", json=POST)).json()
            one = (await client.get(f"/posts/{created['id']}")).json()
            missing = (await client.get("/posts/999")).json()["detail"]
            answers.append([one | {"id": 0}, missing])

    assert answers[0] == answers[1]


def test_lesson_does_not_start_with_the_library_and_its_late_commit(tmp_path: Path) -> None:
    source = (EXAMPLE / "after/main.py").read_text()
    late = tmp_path / "late.py"
    late.write_text(source.replace(', scope="function"', ""))
    spec = importlib.util.spec_from_file_location("adopt_late", late)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["adopt_late"] = importlib.util.module_from_spec(spec)

    with pytest.raises(
        RuntimeError, match=r"get_db commits after the response of POST /posts \(and"
    ):
        spec.loader.exec_module(module)
    del sys.modules["adopt_late"]
