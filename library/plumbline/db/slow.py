"""What keeps others out of a table for as long as it has rows, and what a failure leaves half done.

A lock that is held for a moment is no finding: a migration steps back from one that it does not
get. One that is held while all rows are read or written is.
"""

import re
from collections.abc import Iterator

from plumbline.db.catalogue import Catalogue, Constraint
from plumbline.db.observing import Locks, Run, Statement
from plumbline.db.sql_text import parts_of

Found = tuple[str, str, str]  # rule, subject, detail
STRONG = {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
WEAK = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
_BUILT = re.compile(r'building index "(.*)" on table "(.*)" ')
_VERIFIED = re.compile(r'verifying table "(.*)"')
_COMPARED = re.compile(r'validating foreign key constraint "(.*)"')
_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
_ENDS = {"COMMIT", "ROLLBACK", "END", "ABORT", "BEGIN", "START"}  # first words, as these
_NOT_OF_ROWS = {"CREATE", "ALTER", "DROP", "TRUNCATE", "REINDEX", "CLUSTER", "VACUUM", "ANALYZE"}
_NOT_OF_ROWS |= {
    "COMMENT",
    "GRANT",
    "REVOKE",
    "SET",
    "RESET",
    "LOCK",
    "REFRESH",
    "SECURITY",
    *_ENDS,
}
_INDEXED = {"p", "u", "x"}
# What a second try meets: only a name that says IF [NOT] EXISTS may be there already.
_ONCE = re.compile(
    r"\b(?:CREATE|ADD|RENAME|INSERT|ATTACH|DETACH|DROP(?! (?:NOT NULL|DEFAULT|EXPRESSION)))\b"
)
_AGAIN = re.compile(r"\b(?:IF (?:NOT )?EXISTS|OR REPLACE|ON CONFLICT)\b")
_CONCURRENT_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY\b")
_DROPPED = re.compile(r"\bDROP (?:INDEX|CONSTRAINT)(?: CONCURRENTLY)? IF EXISTS (\S+)")
_CREATED = re.compile(
    r"\b(?:CREATE (?:UNIQUE )?INDEX(?: CONCURRENTLY)?|ADD CONSTRAINT)(?: IF NOT EXISTS)? (\S+)"
)


def find(run: Run) -> Iterator[tuple[int, str, str, str]]:
    """Line, rule, subject, detail, in the order of the statements."""
    for statement in run.statements:
        for found in (*_slow(statement, run.before), *_of_rows(statement, run.before)):
            yield statement.line, *found
        if statement.raises_timeout:
            yield statement.line, "lock-timeout", "", ""
    for statement, detail in _half_done(run):
        yield statement.line, "half-done", "", detail


def _slow(done: Statement, there: Catalogue) -> Iterator[Found]:
    """At most one kind: a table that is rewritten has its indexes built as well."""
    rewritten = [
        each.name
        for oid, each in there.relations.items()
        if oid in done.after.relations
        and oid in done.before.relations
        and done.after.relations[oid].file != done.before.relations[oid].file
    ]
    if rewritten:
        yield from (("rewrite", name, "") for name in rewritten)
    elif built := [match for each in done.messages if (match := _BUILT.match(each))]:
        if not (done.is_alone and _CONCURRENTLY.search(done.sql)):
            yield from _built({match[1] for match in built}, done, there)
    elif read := _read(done, there):
        yield from read if _keeps_out(done.locks, there) else ()
    else:
        yield from _read_for_domains(done, there)


def _keeps_out(locks: Locks, there: Catalogue) -> bool:
    return any(oid in there.relations and mode in STRONG for oid, mode in locks)


def _built(names: set[str], done: Statement, there: Catalogue) -> Iterator[Found]:
    constraints = {
        (each.relation, each.name) for each in _new_constraints(done) if each.kind in _INDEXED
    }
    for index in done.after.indexes.values():
        if index.name in names and index.relation in there.relations:
            is_constraint = (index.relation, index.name) in constraints
            yield "unique-constraint" if is_constraint else "blocking-index", index.name, ""


def _read(done: Statement, there: Catalogue) -> set[Found]:
    """What it reads whole tables for: a foreign key, NOT NULL, a CHECK, or the change of a type."""
    found = {("foreign-key", name, "") for name in _compared(done, there)}
    old = {each.name.rpartition(".")[2] for each in there.relations.values()}
    verified = {match[1] for each in done.messages if (match := _VERIFIED.match(each))} & old
    if not verified:
        return found
    checks = {
        ("check-constraint", each.name, "")
        for each in _new_constraints(done)
        if each.kind == "c" and each.relation in there.relations and each.is_validated
    }
    return found | (_required(done, there) or checks) or {
        ("check-constraint", table, "") for table in verified
    }


def _compared(done: Statement, there: Catalogue) -> set[str]:
    said = {match[1] for each in done.messages if (match := _COMPARED.match(each))}
    return {
        each.name
        for each in done.after.constraints.values()
        if each.kind == "f" and each.name in said and each.relation in there.relations
    }


def _required(done: Statement, there: Catalogue) -> set[Found]:
    """Columns that become NOT NULL, and new ones, for which there is another rule as well."""
    return {
        ("set-not-null", f"{there.relations[key[0]].name}.{column.name}", "")
        for key, column in done.after.columns.items()
        if key[0] in there.relations and column.is_required
        if not (was.is_required if (was := done.before.columns.get(key)) else column.has_default)
    }


def _new_constraints(done: Statement) -> Iterator[Constraint]:
    """Those that are made, or validated."""
    for oid, each in done.after.constraints.items():
        was = done.before.constraints.get(oid)
        if was is None or not was.is_validated:
            yield each


def _read_for_domains(done: Statement, there: Catalogue) -> Iterator[Found]:
    """PostgreSQL says nothing then; such a lock by itself is of nothing else, but LOCK TABLE."""
    new = {(oid, mode) for oid, mode in done.locks - done.locks_before if oid in there.relations}
    shared = {oid for oid, mode in new if mode == "ShareLock"}
    for oid in shared - {oid for oid, mode in new if mode == "AccessExclusiveLock"}:
        yield "check-constraint", there.relations[oid].name, ""


def _of_rows(done: Statement, there: Catalogue) -> Iterator[Found]:
    words = {part.lstrip("( ").partition(" ")[0] for part in parts_of(done.sql)} - _NOT_OF_ROWS
    if not words:
        return
    # New rows are in nobody's way, but those that they are made of.
    modes = {"AccessShareLock"} if words == {"INSERT"} else WEAK
    new = {oid for oid, mode in done.locks - done.locks_before if mode in modes}
    for oid in {oid for oid, mode in done.locks if mode in modes}:
        relation = there.relations.get(oid)
        if relation and relation.kind != "v" and (oid in new or _names(done.sql, relation.name)):
            yield "backfill", relation.name, ""


def _names(sql: str, relation: str) -> bool:
    """Where it was locked in the same way before, only the text tells."""
    return re.search(rf"\b{re.escape(relation)}\b", sql, re.IGNORECASE) is not None


def _half_done(run: Run) -> Iterator[tuple[Statement, str]]:
    """What is committed before the revision is recorded runs again when the rest has failed."""
    last = max((n for n, each in enumerate(run.statements) if each.is_alone), default=-1)
    dropped = set[str]()
    for number, statement in enumerate(run.statements):
        for part in parts_of(statement.sql):
            created = _name(_CREATED.search(part))
            if part.partition(" ")[0] in _ENDS:
                yield statement, "it ends the revision's transaction: "
            elif number > last or created in dropped:
                pass
            elif _CONCURRENT_INDEX.match(part):
                yield (
                    statement,
                    "a failed try leaves an invalid index, which is not dropped first: ",
                )
            elif _ONCE.search(part) and not _AGAIN.search(part):
                yield statement, ""
            dropped.add(_name(_DROPPED.search(part)))


def _name(found: re.Match[str] | None) -> str:
    return found[1].replace('"', "").rpartition(".")[2] if found else ""
