"""What migrations do to others, broken on purpose."""

from tests.sabotage import Sabotage

DB = "library/plumbline/db/"
ADVICE = "library/plumbline_tests/db/test_advice.py::"
CASES = f"{ADVICE}test_each_script_is_told_what_it_does_to_others"
REASONS = f"{ADVICE}test_reason_is_asked_for_each_finding_and_for_nothing_else"
SAFE = "library/plumbline_tests/db/test_safe_migrations.py::"
WRITTEN = "library/plumbline_tests/db/test_written_scripts.py::"
IN_NOBODYS_WAY = f"{WRITTEN}test_script_is_in_nobodys_way_and_goes_up_down_and_up"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "do not hear what PostgreSQL tells of a migration",
        f"{DB}observing.py",
        "SET client_min_messages = debug1;",
        "SET client_min_messages = notice;",
        CASES,
    ),
    Sabotage(
        "take a lock that a migration holds for none",
        f"{DB}slow.py",
        "        yield from read if _keeps_out(done.locks, there) else ()",
        "        yield from ()",
        CASES,
    ),
    Sabotage(
        "warn of what a migration has made itself",
        f"{DB}slow.py",
        "        if index.name in names and index.relation in there.relations:",
        "        if index.name in names:",
        CASES,
    ),
    Sabotage(
        "do not see a loop over rows that are not there",
        f"{DB}slow.py",
        '_NOT_OF_ROWS = {"CREATE", ',
        '_NOT_OF_ROWS = {"SELECT", "CREATE", ',
        CASES,
    ),
    Sabotage(
        "take a rename that loses values for a drop",
        f"{DB}breaking.py",
        "    if added:",
        "    if False:",
        CASES,
    ),
    Sabotage(
        "let a new column be required without a value",
        f"{DB}breaking.py",
        "        if was is None and not column.has_default:",
        "        if False:",
        CASES,
    ),
    Sabotage(
        "let a revision be half done",
        f"{DB}slow.py",
        "            elif _ONCE.search(part) and not _AGAIN.search(part):",
        "            elif False:",
        CASES,
    ),
    Sabotage(
        "excuse a migration without a reason",
        f"{DB}advice.py",
        "        elif not isinstance(reason, str) or not reason.strip():",
        "        elif False:",
        REASONS,
    ),
    Sabotage(
        "take a reason for nothing",
        f"{DB}advice.py",
        "        if key not in keys:",
        "        if False:",
        REASONS,
    ),
    Sabotage(
        "check migrations without the adviser",
        "library/plumbline/cli/schema.py",
        '    if unsafe:\n        print("\\n".join(unsafe))',
        "    if False:\n        print()",
        f"{ADVICE}test_check_refuses_what_has_no_reason",
    ),
    Sabotage(
        "say nothing of a script that is written",
        "library/plumbline/cli/schema.py",
        "    for line in unsafe:\n",
        "    for line in []:\n",
        f"{ADVICE}test_script_is_told_what_it_does_when_it_is_written",
    ),
    Sabotage(
        "build a new index while nobody can write",
        f"{DB}unblocked.py",
        '    made.kw = {**each.kw, "postgresql_concurrently": True}',
        "    made.kw = {**each.kw}",
        IN_NOBODYS_WAY,
    ),
    Sabotage(
        "keep an index that a failed try has left",
        f"{DB}unblocked.py",
        "        case CreateIndexOp():\n            yield from _index(each)",
        "        case CreateIndexOp():\n            yield list(_index(each))[1]",
        f"{WRITTEN}test_script_that_has_failed_half_way_runs_again",
    ),
    Sabotage(
        "validate a key where it is added",
        f"{DB}unblocked.py",
        '    made.kw = {**each.kw, "postgresql_not_valid": True}',
        "    made.kw = {**each.kw}",
        IN_NOBODYS_WAY,
    ),
    Sabotage(
        "write everything into one script",
        f"{DB}unblocked.py",
        "    if not moved:",
        "    if moved:",
        IN_NOBODYS_WAY,
    ),
    Sabotage(
        "leave a new schema to its author",
        f"{DB}autogenerate.py",
        "    up.ops[:0] = [*map(Statement, schemas), *types]",
        "    up.ops[:0] = types",
        IN_NOBODYS_WAY,
    ),
    Sabotage(
        "make a new type for a label with another name",
        f"{DB}autogenerate.py",
        "    if any(new in each.old_values or old in each.new_values for old, new in pairs):",
        "    if True:",
        f"{WRITTEN}test_label_in_the_place_of_another_is_the_same_with_another_name",
    ),
    Sabotage(
        "say nothing of an invalid index",
        f"{DB}migrate.py",
        "    WHERE NOT i.indisvalid AND",
        "    WHERE false AND",
        f"{WRITTEN}test_index_that_a_try_without_a_lock_has_left_is_told",
    ),
    Sabotage(
        "backfill one row of each batch",
        "library/docs_src/safe_migrations.py",
        "Account.id.between(ids[0], ids[-1])",
        "Account.id.between(ids[0], ids[0])",
        f"{SAFE}test_sequences_fail_nobody_who_uses_the_table_meanwhile",
    ),
)
