"""A fault is found however a project names, imports and wraps what it is made of."""

from pathlib import Path

import pytest

from plumbline.doctor.finding import Severity
from plumbline_tests.doctor.projects import found, look

FACTORY = """
from sqlalchemy.ext.asyncio import async_sessionmaker

factory = async_sessionmaker(expire_on_commit=False)
"""
ROUTE = """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import get_db

app = FastAPI()


@app.post("/posts")
async def create_post(db: AsyncSession = Depends(get_db)):
    db.add(object())
"""
DEPENDENCIES = {
    "else": """
async def get_db():
    session = factory()
    try:
        yield session
    except BaseException:
        await session.rollback()
        raise
    else:
        await session.commit()  # here
    finally:
        await session.close()
""",
    "begin of a factory": """
async def get_db():
    async with factory.begin() as session:  # here
        yield session
""",
    "begin of a session": """
async def get_db():
    async with factory() as session, session.begin():  # here
        yield session
""",
    "a context manager of the project": """
from contextlib import asynccontextmanager


@asynccontextmanager
async def transaction():
    async with factory() as session:
        yield session
        await session.commit()  # here


async def get_db():
    async with transaction() as session:
        yield session
""",
    "a unit of work": """
class UnitOfWork:
    async def __aenter__(self):
        self.session = factory()
        return self

    async def __aexit__(self, *_):
        await self.session.commit()  # here


async def get_db():
    async with UnitOfWork() as unit:
        yield unit
""",
    "a generator that passes another on": """
async def _sessions():
    async with factory() as session:
        yield session
        await session.commit()  # here


async def get_db():
    async for session in _sessions():
        yield session
""",
    "a factory that a function makes": """
def new_factory() -> async_sessionmaker:
    return async_sessionmaker(expire_on_commit=False)


made = new_factory()


async def get_db():
    async with made.begin() as session:  # here
        yield session
""",
}


@pytest.mark.parametrize("shape", DEPENDENCIES)
def test_late_commit_is_found_in_each_shape_of_a_dependency(shape: str, tmp_path: Path) -> None:
    text = FACTORY + DEPENDENCIES[shape]
    line = next(n for n, each in enumerate(text.splitlines(), 1) if each.endswith("# here"))

    assert found(tmp_path, {"app/db.py": text, "app/main.py": ROUTE}) == [
        ("PL001", "app/db.py", line)
    ]


IMPORTS = {
    "as it is": "from app.db import get_db",
    "by another name": "from app.db import get_db as get_it",
    "by its module": "from app import db",
    "relative": "from .db import get_db",
    "through a package": "from app.all import get_db",
    "by a star": "from app.db import *",
    "within a function": "pass",
}
ASKED = {
    "by another name": "Depends(get_it)",
    "by its module": "Depends(db.get_db)",
}


@pytest.mark.parametrize("way", IMPORTS)
def test_dependency_is_known_through_each_kind_of_import(way: str, tmp_path: Path) -> None:
    asked = ASKED.get(way, "Depends(get_db)")
    route = (
        ROUTE.replace("from app.db import get_db", IMPORTS[way])
        .replace("import Depends,", "import Depends as Needs, Depends,")
        .replace("Depends(get_db)", asked)
    )
    if way == "within a function":
        inner = "def add(app):\n    from app.db import get_db\n\n"
        head, _, body = route.partition("@app.post")
        route = head + inner + "\n".join(f"    {each}" for each in f"@app.post{body}".splitlines())
    files = {
        "app/__init__.py": "",
        "app/db.py": FACTORY + DEPENDENCIES["begin of a factory"],
        "app/all/__init__.py": "from ..db import get_db",
        "app/main.py": route,
    }

    assert [code for code, _, _ in found(tmp_path, files)] == ["PL001"]


REQUIREMENTS = {
    "uv.lock": '[[package]]\nname = "fastapi"\nversion = "{}"\n',
    "poetry.lock": '[[package]]\nname = "fastapi"\nversion = "{}"\n',
    "requirements.txt": "fastapi=={}  # pinned\n",
    "requirements/base.txt": "fastapi[all]=={} \\\n",
    "pyproject.toml": '[project]\ndependencies = ["fastapi=={}"]\n',
}


@pytest.mark.parametrize("file", REQUIREMENTS)
@pytest.mark.parametrize(
    ("version", "severity"),
    [
        ("0.98.0", Severity.LOSES_DATA),
        ("0.106.0", Severity.HAZARD),
        ("0.117.1", Severity.HAZARD),
        ("0.118.0", Severity.LOSES_DATA),
    ],
)
def test_version_of_fastapi_decides_whether_a_commit_is_late(
    file: str, version: str, severity: Severity, tmp_path: Path
) -> None:
    files = {"app/db.py": FACTORY + DEPENDENCIES["begin of a factory"], "app/main.py": ROUTE}
    files[file] = REQUIREMENTS[file].format(version)

    assert [each.severity for each in look(tmp_path, files).findings] == [severity]


BOUNDS = {
    ">=0.100": Severity.LOSES_DATA,
    ">=0.110,<0.118": Severity.HAZARD,
    "~=0.115.0": Severity.HAZARD,
    "~=0.115": Severity.LOSES_DATA,
    "==0.115.*": Severity.HAZARD,
    "": Severity.LOSES_DATA,
}


@pytest.mark.parametrize("bound", BOUNDS)
def test_without_a_lock_the_newest_version_that_is_allowed_counts(
    bound: str, tmp_path: Path
) -> None:
    files = {"app/db.py": FACTORY + DEPENDENCIES["begin of a factory"], "app/main.py": ROUTE}
    files["requirements.txt"] = f"fastapi{bound}\n"

    assert [each.severity for each in look(tmp_path, files).findings] == [BOUNDS[bound]]


def test_handlers_that_commit_by_hand_make_it_a_hazard(tmp_path: Path) -> None:
    by_hand = ROUTE + "    await db.commit()\n"
    files = {"app/db.py": FACTORY + DEPENDENCIES["begin of a factory"], "app/main.py": by_hand}

    assert [each.severity for each in look(tmp_path, files).findings] == [Severity.HAZARD]


NEWER = {
    "type parameters": "class Page[T]:\n    pass\n\n\ndef first[\n    T,\n](them: list[T]): ...\n",
    "a type alias": "type Ids = list[int]\ntype Pair[T] = tuple[T, T]\n",
    "quotes within an f-string": 'name = {"a": 1}\nsaid = f"{name["a"]} and {chr(10)}"\n',
    "exceptions in no parentheses": "try:\n    ...\nexcept OSError, KeyError:\n    ...\n",
    "a template string": 'name = "a"\nsaid = t"hello {name}"\n',
}


@pytest.mark.parametrize("syntax", NEWER)
def test_python_that_is_newer_than_the_running_one_is_read_in_its_lines(
    syntax: str, tmp_path: Path
) -> None:
    text = NEWER[syntax] + FACTORY + DEPENDENCIES["begin of a factory"]
    line = next(n for n, each in enumerate(text.splitlines(), 1) if each.endswith("# here"))

    assert found(tmp_path, {"app/db.py": text, "app/main.py": ROUTE}) == [
        ("PL001", "app/db.py", line)
    ]


def test_file_that_is_no_python_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    files = {
        "app/db.py": FACTORY + DEPENDENCIES["begin of a factory"],
        "app/main.py": ROUTE,
        "app/broken.py": "import fastapi\ndef (:\n",
        "app/template.py": "import fastapi\n{% for x in y %}{{ x }} = {% endfor %}\n",
    }
    diagnosis = look(tmp_path, files)

    assert [each.code for each in diagnosis.findings] == ["PL001"]
    reasons = {each.path: each.reason for each in diagnosis.unread}
    assert reasons["app/template.py"] == "a template"
    assert reasons["app/broken.py"].startswith("no Python: ")
