"""Folders of migrations that a test writes, as people and `db revision` write them."""

from dataclasses import replace
from pathlib import Path

import alembic
from sqlalchemy import MetaData

from plumbline.db.migrate import Migrations
from plumbline_tests.sandbox.database import migrations

ENVIRONMENT = Path(migrations.scripts) / "env.py"
TEMPLATE = Path(alembic.__file__).parent / "templates/generic/script.py.mako"
SCRIPT = '''"""{revision}."""

from alembic import op

revision = "{revision}"
down_revision = {after!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def new_migrations(folder: Path, metadata: MetaData | None = None) -> Migrations:
    """Migrations without any script so far."""
    (folder / "versions").mkdir()
    for file in (ENVIRONMENT, TEMPLATE):
        (folder / file.name).write_text(file.read_text())
    return replace(migrations, scripts=folder, metadata=metadata or MetaData())


def write_script(
    of_service: Migrations,
    revision: str,
    after: str | None,
    upgrade: str = "pass",
    downgrade: str = "pass",
) -> Migrations:
    """Add a script that follows `after`; gives the migrations as a new process sees them."""
    script = SCRIPT.format(revision=revision, after=after, upgrade=upgrade, downgrade=downgrade)
    (of_service.scripts / "versions" / f"{revision}.py").write_text(script)
    return replace(of_service)


def read_newest(of_service: Migrations) -> str:
    """The script that was written last."""
    scripts = (of_service.scripts / "versions").glob("*.py")
    return max(scripts, key=lambda file: file.stat().st_mtime_ns).read_text()
