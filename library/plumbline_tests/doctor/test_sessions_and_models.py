"""What a model inherits, how sessions are made, closed and corrected, and the progress."""

from pathlib import Path

import pytest

from plumbline.doctor import fixes
from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import diagnose
from plumbline.doctor.rules import RULES
from plumbline_tests.doctor.projects import found, look, write

BY_CODE = {rule.code: rule for rule in RULES}
UPDATED = BY_CODE["PL305"].example("Wrong")["main.py"]
FETCHING = '__mapper_args__ = {"eager_defaults": True}'
NONE = "__mapper_args__ = {}"
MORE = "__mapper_args__ = {**Base.__mapper_args__, 'version_id_col': None}"
MODELS = {
    "the model itself": (f"class Post(Updated):\n    {FETCHING}\n", True),
    "what it inherits": (
        f"class Base:\n    {FETCHING}\n\n\nclass Post(Updated, Base): ...\n",
        True,
    ),
    "it adds to what it inherits": (
        f"class Base:\n    {FETCHING}\n\n\nclass Post(Updated, Base):\n    {MORE}\n",
        True,
    ),
    "it takes it back": (
        f"class Base:\n    {FETCHING}\n\n\nclass Post(Updated, Base):\n    {NONE}\n",
        False,
    ),
    "another model": (f"class Post(Updated): ...\n\n\nclass Tag:\n    {FETCHING}\n", False),
    "one of two models": (
        f"class Post(Updated): ...\n\n\nclass Tag(Updated):\n    {FETCHING}\n",
        False,
    ),
}


@pytest.mark.parametrize("which", MODELS)
def test_value_of_the_server_is_fetched_by_each_model_that_has_it(
    which: str, tmp_path: Path
) -> None:
    text, is_fetched = MODELS[which]

    codes = [code for code, _, _ in found(tmp_path, {"main.py": f"{UPDATED}\n\n{text}"})]
    assert codes == ([] if is_fetched else ["PL305"])


@pytest.mark.parametrize("options", ["", "expire_on_commit=True"])
@pytest.mark.parametrize("made", ["async_sessionmaker({})", "AsyncSession(None, {})"])
def test_async_session_that_expires_is_found(made: str, options: str, tmp_path: Path) -> None:
    head = "from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker\n"
    text = f"{head}\n\ndef new():\n    return {made.format(options)}\n"

    assert [code for code, _, _ in found(tmp_path, {"main.py": text})] == ["PL301"]


@pytest.mark.parametrize(
    ("line", "corrected"),
    [
        ("async_sessionmaker(expire_on_commit=True)", "async_sessionmaker(expire_on_commit=False)"),
        (
            "create_async_engine(URL, pool_pre_ping=True, echo=True, connect_args={})",
            "create_async_engine(URL, pool_pre_ping=True, echo=False, connect_args={})",
        ),
    ],
)
def test_option_that_is_wrong_is_corrected_where_it_stands(
    line: str, corrected: str, tmp_path: Path
) -> None:
    head = "from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine\n\nmade = "

    findings = look(tmp_path, {"main.py": head + line}).findings

    assert [after for _, _, after in fixes.corrected(tmp_path, findings)] == [head + corrected]


def test_progress_counts_the_files_and_names_the_rules(tmp_path: Path) -> None:
    told: list[str] = []
    write(tmp_path, {f"app/{name}.py": "import fastapi\n" for name in "ab"})

    diagnose(tmp_path, RULES[:1], Configuration(), on_progress=told.append)

    assert told == ["reading 1 of 2 files", "reading 2 of 2 files", "PL001"]


OPENED = """
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

factory = sessionmaker(create_engine("sqlite://"))


def work(request, connection):
    session = factory()
    {}
"""
ENDS = {
    "session.commit()\n    session.close()": True,
    "try:\n        session.commit()\n    finally:\n        session.close()": False,
    "with session:\n        session.commit()": False,
    "return session": False,
    "request.state.db = session": False,
    "request.keep(session)": False,
    "other = Session(connection)\n    session.close()\n    with session: ...": False,
}


@pytest.mark.parametrize("end", ENDS)
def test_session_of_a_function_is_closed_also_if_it_fails(end: str, tmp_path: Path) -> None:
    codes = [code for code, _, _ in found(tmp_path, {"main.py": OPENED.format(end)})]

    assert codes == (["PL004"] if ENDS[end] else [])
