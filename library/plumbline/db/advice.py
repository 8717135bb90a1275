"""Which migrations are in the way of those who use the database meanwhile, and what to write.

Every revision runs on a throw-away PostgreSQL, which is asked what it does (`observing`). A
revision that is right as it is says why: `SAFE = {"drop-column users.nickname": "no release since
2.3 reads it"}` in its script. library/docs/safe_migrations.md has the safe sequence for each rule.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from plumbline.db import breaking, slow
from plumbline.db.migrate import Migrations
from plumbline.db.observing import Observer, Run

PAGE = "safe_migrations.md"
WAY_OUT = (
    f"write the safe sequence ({PAGE}), or say in the script why it is right as it is: "
    'SAFE = {"drop-column users.nickname": "no release since 2.3 reads it"}'
)
# What each rule means, and the section of the page that has the safe sequence.
RULES = {
    "lost-rename": "if it is a rename, its values are lost, and the running release misses it",
    "rename": "the running release still uses the old name",
    "drop-column": "the running release still reads it",
    "drop-table": "the running release still reads it, and its rows are gone",
    "drop-object": "the running release may still use it",
    "drop-default": "the running release inserts no value for it",
    "drop-unique": "an ON CONFLICT of the running release may ask for it",
    "required-column": "rows that are there have no value for it, nor has the running release",
    "set-not-null": "the whole table is read while nobody can use it",
    "blocking-index": "nobody can write to the table while the index is built",
    "unique-constraint": "nobody can use the table while its index is built",
    "foreign-key": "nobody can write to either table while all rows are compared",
    "check-constraint": "the whole table is read while nobody can use it",
    "rewrite": "all of the table is written again while nobody can use it",
    "backfill": "rows that it changes stay locked until all is done; on an empty table nobody sees",
    "half-done": "the part before it stays when this fails, and cannot run a second time",
    "lock-timeout": "requests queue behind a migration that waits for a lock",
}
SECTIONS = {
    "lost-rename": "rename",
    "drop-table": "drop-column",
    "drop-object": "drop-column",
    "drop-unique": "drop-column",
    "drop-default": "required-column",
    "set-not-null": "without-blocking",
    "blocking-index": "without-blocking",
    "unique-constraint": "without-blocking",
    "foreign-key": "without-blocking",
    "check-constraint": "without-blocking",
    "lock-timeout": "half-done",
}


@dataclass(frozen=True)
class Finding:
    """What a script does by `rule` to `subject`, such as the column users.nickname."""

    file: Path
    line: int
    rule: str
    subject: str
    detail: str

    @property
    def key(self) -> str:
        """What SAFE names it by."""
        return f"{self.rule} {self.subject}".strip()

    def __str__(self) -> str:
        said = f"{self.file.name}:{self.line}: {self.key}: {self.detail}{RULES[self.rule]}"
        return f"{said} ({PAGE}#{SECTIONS.get(self.rule, self.rule)})"


def find_unsafe(migrations: Migrations, url: str) -> list[str]:
    """A line for each finding that has no reason, and for each reason that has no finding.

    Migrates the empty, throw-away database at `url` to the head.
    """
    if migrations.baseline is not None:
        migrations.upgrade(url, migrations.baseline)
    told = list[str]()
    migrations.observe(url, Observer(lambda run: told.extend(_judge(run))))
    return told


def find(run: Run) -> list[Finding]:
    """What is in the way in `run`, in the order of its lines."""
    file = Path(run.script.path)
    found: dict[str, Finding] = {}
    for line, rule, subject, detail in [*slow.find(run), *breaking.find(run)]:
        each = Finding(file, line, rule, subject, detail)
        found.setdefault(each.key, each)
        if rule == "required-column":  # the same column, read for the same reason
            found.pop(f"set-not-null {subject}", None)
    return sorted(found.values(), key=lambda each: each.line)


def _judge(run: Run) -> Iterator[str]:
    """Findings without a reason, and reasons for what is not there."""
    reasons: object = getattr(run.script.module, "SAFE", {})
    found, file = find(run), Path(run.script.path).name
    if not isinstance(reasons, Mapping):
        yield f'{file}: SAFE has to be a dict, as in SAFE = {{"drop-table old": "nobody reads it"}}'
        reasons = {}
    keys = {each.key for each in found}
    for key, reason in reasons.items():
        if key not in keys:
            known = str(key).partition(" ")[0] in RULES
            why = "it does nothing of that" if known else f"the rules are {', '.join(RULES)}"
            yield f"{file}: SAFE has {key!r}: {why}"
        elif not isinstance(reason, str) or not reason.strip():
            yield f"{file}: SAFE has no reason for {key!r}"
    for each in found:
        if each.key not in reasons:
            yield str(each)
