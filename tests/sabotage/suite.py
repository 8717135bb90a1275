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
        "library/plumbline/db/autogenerate.py",
        "up.ops.sort(key=lambda each: not isinstance(each, AddEnumValuesOp))",
        "up.ops[:] = [each for each in up.ops if type(each).__name__ != 'CreateEnumOp']",
        NEW_TABLE,
    ),
    Sabotage(
        "let a change of the library pass by the quick run",
        "tests/quick.py",
        'folder = ROOT / "library" if file.is_relative_to(ROOT / "library") else ROOT',
        "folder = ROOT",
        "tests/test_quick.py::test_slow_test_runs_when_what_it_is_about_has_changed",
    ),
)
