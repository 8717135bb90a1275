"""What the code of the app must not contain: SQLAlchemy 1 style, and ways around get_db."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import ROOT

APP = ROOT / "app"
MIGRATIONS = APP / "db" / "migrations"
APP_FILES = sorted(APP.rglob("*.py"))


def _calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Calls of `name(...)` and of `anything.name(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in names:
                yield node


def _methods(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    return (call for call in _calls(tree, *names) if isinstance(call.func, ast.Attribute))


def _legacy_style(tree: ast.AST) -> Iterator[ast.AST]:
    yield from _methods(tree, "query")
    yield from _calls(tree, "sessionmaker", "declarative_base", "scoped_session")
    of_a_table = {column for table in _calls(tree, "Table") for column in _calls(table, "Column")}
    yield from (column for column in _calls(tree, "Column") if column not in of_a_table)


def _blocking(tree: ast.AST) -> Iterator[ast.AST]:
    """Sync sessions, and sync engines on anything but the blocking driver."""
    yield from _calls(tree, "Session")
    yield from (call for call in _calls(tree, "create_engine") if not _on_psycopg(call))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "sync_session":
            yield node


def _on_psycopg(call: ast.Call) -> bool:
    return call.args[:1] == list(_calls(call, "psycopg_url"))


def _lax_factories(tree: ast.AST) -> Iterator[ast.AST]:
    """Factories whose sessions live on when they are closed; the doctor asks for the rest."""
    for call in _calls(tree, "async_sessionmaker"):
        if "close_resets_only=False" not in ast.unparse(call):
            yield call


def _left_open(tree: ast.AST) -> Iterator[ast.AST]:
    """Sessions that no `async with` closes."""
    closed = {
        item.context_expr
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
    }
    for call in _calls(tree, "AsyncSessionFactory", "ReadSessionFactory", "begin"):
        if "SessionFactory" in ast.unparse(call.func) and call not in closed:
            yield call


def _ended_by_hand(tree: ast.AST) -> Iterator[ast.AST]:
    yield from _methods(tree, "commit", "rollback")


def _caught_in_a_dependency(tree: ast.AST) -> Iterator[ast.AST]:
    """`try: yield ... except`: it misses CancelledError, which `async with` does not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and node.handlers:
            lines = [line for line in node.body if not isinstance(line, ast.AsyncWith)]
            yield from (each for line in lines for each in ast.walk(line) if _yields(each))


def _yields(node: ast.AST) -> bool:
    return isinstance(node, ast.Yield)


Rule = Callable[[ast.AST], Iterator[ast.AST]]

RULES: dict[Rule, tuple[Path, ...]] = {  # and where each does not hold
    _legacy_style: (MIGRATIONS,),
    # Events are the sync session's, and so is closing without waiting.
    _blocking: (APP / "services" / "idempotency.py", APP / "db" / "session.py"),
    _lax_factories: (),
    _left_open: (),
    _ended_by_hand: (
        MIGRATIONS,
        APP / "db" / "connection.py",  # asyncpg's own transaction
        APP / "db" / "grants.py",
        APP / "db" / "migrate.py",
        APP / "db" / "session.py",
    ),
    _caught_in_a_dependency: (APP / "services" / "limits.py",),  # a block, around a few lines
}


@pytest.mark.parametrize("rule", RULES)
def test_no_file_of_the_app_contains(rule: Rule) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in APP_FILES
        if not any(path.is_relative_to(exempt) for exempt in RULES[rule])
        for node in rule(ast.parse(path.read_text()))
    ]

    assert found == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (_legacy_style, "db.query(User)"),
        (_legacy_style, "name = Column(String)"),
        (_legacy_style, "name = sa.Column(String)"),
        (_legacy_style, "Session = sessionmaker(engine)"),
        (_legacy_style, "Base = declarative_base()"),
        (_blocking, "db.sync_session.execute(rows)"),
        (_blocking, "Session(engine)"),
        (_blocking, "orm.Session(engine.sync_engine)"),
        (_blocking, "create_engine(settings.DATABASE_URL)"),
        (_blocking, "create_engine(asyncpg_url(settings.DATABASE_URL))"),
        (_lax_factories, "async_sessionmaker(engine, expire_on_commit=False)"),
        (_left_open, "db = AsyncSessionFactory()"),
        (_left_open, "db = await session.ReadSessionFactory().__aenter__()"),
        (_left_open, "with AsyncSessionFactory.begin() as db: ..."),
        (_ended_by_hand, "await db.commit()"),
        (_ended_by_hand, "await self.db.rollback()"),
        (_caught_in_a_dependency, "try:\n    yield db\nexcept Exception:\n    raise"),
        (_caught_in_a_dependency, "try:\n    db = yield\nexcept BaseException:\n    raise"),
    ],
)
def test_guard_sees(rule: Rule, code: str) -> None:
    assert list(rule(ast.parse(code))) != []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (_legacy_style, "name: Mapped[str] = mapped_column(String)"),
        (_legacy_style, "tags = Table('tags', metadata, Column(ForeignKey('posts.id')))"),
        (_legacy_style, "Factory = async_sessionmaker(engine)"),
        (_blocking, "create_engine(psycopg_url(url), poolclass=NullPool)"),
        (_lax_factories, "async_sessionmaker(expire_on_commit=False, close_resets_only=False)"),
        (_left_open, "async def f():\n    async with AsyncSessionFactory.begin() as db: ..."),
        (_left_open, "async def f():\n    async with engine.connect(), ReadSessionFactory(): ..."),
        (_caught_in_a_dependency, "try:\n    yield db\nfinally:\n    done()"),
    ],
)
def test_guard_accepts(rule: Rule, code: str) -> None:
    assert list(rule(ast.parse(code))) == []


def test_every_warning_is_an_error(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("filterwarnings") == ["error"]
