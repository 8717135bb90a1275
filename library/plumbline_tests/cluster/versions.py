"""Three versions of the sandbox: as it is, the next, whose books have a language, and its cleanup.

The first runs beside the second on a schema that is expanded; the third contracts it, which the
first could not bear: its INSERT names no language.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import plumbline
import plumbline_tests
from plumbline_tests.faults.database import ENDS_WITH_US
from plumbline_tests.waiting import until
from plumbline_tests.warm import ROOT

LIBRARY = Path(plumbline.__file__).parents[1]

MIGRATION = '''"""{what}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''
_COLUMN = 'sa.Column("language", sa.String(10), server_default="en", nullable=False)'
_OLD = 'existing_type=sa.String(10), server_default="en"'
HEAD, EXPANDED, CONTRACTED = "5d1c0ad3f7b2", "0000000000e1", "0000000000c2"
EXPAND = MIGRATION.format(
    what="Books have a language",
    revision=EXPANDED,
    before=HEAD,
    upgrade=f'op.add_column("books", {_COLUMN})',
    downgrade='op.drop_column("books", "language")',
)
CONTRACT = MIGRATION.format(
    what="Who writes a book says its language",
    revision=CONTRACTED,
    before=EXPANDED,
    upgrade='op.alter_column("books", "language", server_default=None)',
    downgrade=f'op.alter_column("books", "language", {_OLD})',
)
_VERSION = '    version: Mapped[int] = mapped_column(server_default=text("1"))\n'
_UPDATED = "    updated_at: datetime | None\n\n\n"
CHANGES = {
    "models.py": {_VERSION: f"{_VERSION}    language: Mapped[str] = mapped_column(String(10))\n"},
    "books.py": {
        _UPDATED: f'{_UPDATED.rstrip()}\n    language: str = "en"\n\n\n',
        "    name: str,\n) -> BookRead:\n": "    name: str,\n    language: str,\n) -> BookRead:\n",
        "version, created_at, updated_at)\n": "version, created_at, updated_at, language)\n",
        "    Author.name,\n).join(": "    Author.name,\n    Book.language,\n).join(",
        "author_id=author_id)\n    return": 'author_id=author_id, language="en")\n    return',
    },
}
SETTINGS = {
    "DB_POOL_SIZE": "4",
    "DB_MAX_OVERFLOW": "0",
    "DB_POOL_TIMEOUT_SECONDS": "30",
    "STOP_DELAY_SECONDS": "5",  # as deploy/haproxy/haproxy.cfg wants it
    "WRITE_LIMIT_PER_USER": "0",
}


@dataclass
class Versions:
    """Folders, each of which comes first where Python looks for the sandbox."""

    before: Path
    after: Path
    contracted: Path


def write_versions(folder: Path) -> Versions:
    made = Versions(ROOT, folder / "after", folder / "contracted")
    for copy, migrations in (
        (made.after, {"expand": EXPAND}),
        (made.contracted, {"expand": EXPAND, "contract": CONTRACT}),
    ):
        sandbox = _copy_sandbox(copy)
        for name, text in migrations.items():
            (sandbox / "migrations" / "versions" / f"{name}.py").write_text(text)
    return made


def _copy_sandbox(folder: Path) -> Path:
    """The package with its sandbox changed."""
    package = Path(plumbline_tests.__file__).parent
    made = folder / package.name
    shutil.copytree(package, made, ignore=shutil.ignore_patterns("__pycache__"))
    sandbox = made / "sandbox"
    for name, changes in CHANGES.items():
        text = (sandbox / name).read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (sandbox / name).write_text(text)
    return sandbox


def run(folder: Path, url: str, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`python -m plumbline_tests.sandbox …` of the version that is in `folder`.

    The library is the one of this process, which may be a copy that was changed.
    """
    path = os.pathsep.join([str(folder), str(LIBRARY)])
    command = [*ENDS_WITH_US, sys.executable, "-m", "plumbline_tests.sandbox", *arguments]
    with log.open("ab") as said:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=os.environ | SETTINGS | {"DATABASE_URL": url, "PYTHONPATH": path},
            cwd=folder,
            start_new_session=True,
        )


async def migrate(folder: Path, url: str, log: Path) -> int | None:
    """`db upgrade`, as the step of a deploy; the exit code."""
    return await ended(run(folder, url, log, "db", "upgrade"))


async def stop(process: subprocess.Popen[bytes]) -> int | None:
    """SIGTERM, as a platform does it; the exit code."""
    process.send_signal(signal.SIGTERM)
    return await ended(process)


async def ended(process: subprocess.Popen[bytes]) -> int | None:
    await until(lambda: process.poll() is not None)
    return process.returncode
