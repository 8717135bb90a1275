"""Two versions of the sandbox: as it is, and its successor, whose books have a language."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import plumbline_tests
from plumbline_tests.faults.database import ENDS_WITH_US
from plumbline_tests.waiting import until

MIGRATION = '''"""Books have a language."""

import sqlalchemy as sa
from alembic import op

revision = "0000000000ff"
down_revision = "5d1c0ad3f7b2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("language", sa.String(10), server_default="en", nullable=False)
    op.add_column("books", column)


def downgrade() -> None:
    op.drop_column("books", "language")
'''
VERSION = '    version: Mapped[int] = mapped_column(server_default=text("1"))\n'
LANGUAGE = '    language: Mapped[str] = mapped_column(String(10), server_default="en")\n'
CHANGES = {
    "models.py": {VERSION: VERSION + LANGUAGE},
    "books.py": {
        "    updated_at: datetime | None\n\n\n": (
            '    updated_at: datetime | None\n    language: str = "en"\n\n\n'
        ),
        "    name: str,\n) -> BookRead:\n": "    name: str,\n    language: str,\n) -> BookRead:\n",
        "version, created_at, updated_at)\n": "version, created_at, updated_at, language)\n",
        "    Author.name,\n).join(Book.author)": (
            "    Author.name,\n    Book.language,\n).join(Book.author)"
        ),
    },
}
# HAProxy asks each second five times, and is told before anybody else that a service stops.
SETTINGS = {
    "DB_POOL_SIZE": "4",
    "DB_MAX_OVERFLOW": "0",
    "DB_POOL_TIMEOUT_SECONDS": "30",
    "STOP_DELAY_SECONDS": "2",
    "WRITE_LIMIT_PER_USER": "0",
}


def write_successor(folder: Path) -> Path:
    """A copy of the package in `folder`, changed: it comes first where that is the folder."""
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
    (sandbox / "migrations" / "versions" / "language.py").write_text(MIGRATION)
    return folder


def run(folder: Path, url: str, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`python -m plumbline_tests.sandbox …` of the version that is in `folder`."""
    command = [*ENDS_WITH_US, sys.executable, "-m", "plumbline_tests.sandbox", *arguments]
    with log.open("ab") as said:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=os.environ | SETTINGS | {"DATABASE_URL": url, "PYTHONPATH": str(folder)},
            cwd=folder,
            start_new_session=True,
        )


async def stop(process: subprocess.Popen[bytes]) -> int | None:
    """SIGTERM, as a platform does it; the exit code."""
    process.send_signal(signal.SIGTERM)
    await until(lambda: process.poll() is not None)
    return process.returncode
