"""Promises about the suite itself, broken on purpose."""

from tests.sabotage import Sabotage

NEW_TABLE = "tests/db/test_new_table.py::test_new_table_and_column_agree_with_their_migration"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "take the order of columns for a difference",
        "library/plumbline/db/drift.py",
        "    return _TABLE.sub(_sort_columns, ended.stdout)",
        "    return ended.stdout",
        NEW_TABLE,
    ),
    Sabotage(
        "forget the enum types of a table",
        "library/plumbline/db/environment.py",
        'autogenerate_plugins=["alembic.autogenerate.*", ',
        'autogenerate_plugins=["alembic.autogenerate.tables", ',
        NEW_TABLE,
    ),
)
