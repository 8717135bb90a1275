"""The doctor's page on what runs.

`python -m tests.doctor_live_page > library/docs/doctor_live.md`
"""

from plumbline.doctor.live.rules import LIVE_RULES
from plumbline.doctor.registry import Rule

HEAD = """# The doctor, at what runs

Some faults are in no file. `plumbline doctor --live` looks at a database, whatever made its tables.

```sh
plumbline doctor --live postgresql://user@host/shop
plumbline doctor --live DATABASE_URL  # the variable that has the URL; `service=shop` works as well
plumbline doctor --explain PL702      # why, and what to do
```

Formats, `--fail-on`, `ignore` and baselines are those of [the doctor](doctor.md).

## It promises

- It only reads: catalogues and statistics, never a row of a table, each question in a READ ONLY
  transaction of its own, with a `statement_timeout` of 5 s and a `lock_timeout` of 0.2 s. It ends
  after `--time-limit` (30 s), whatever the server does.
- Statements of others are shown without their values, and no message has the password.
- A role sees what it may. What it could not see is one line: `GRANT pg_monitor TO role` shows all.
- A finding has an object in place of a line: `public.book.author_id`, `role shop`.
  `per-file-ignores` takes it as well: `"public.legacy_*" = ["PL724"]`. Its baseline is another file
  than that of the code: `--baseline live.json`.

## It needs

A PostgreSQL from 13 on. Behind PgBouncer it says so, and its mode as far as that can be proved from
outside: one that lends by transaction gives a second session the process of the first. For session
mode there is no proof, and behind statement mode nothing can be read. It does not see what a
service sets for each of its connections, nor how many more a pool may open: that is in the code.

This page is what `python -m tests.doctor_live_page` prints.

| Rule | Severity |
|---|---|
"""


def write_page() -> str:
    return HEAD + "".join(_row(rule) for rule in LIVE_RULES)


def _row(rule: Rule) -> str:
    page = f"../plumbline/doctor/pages/{rule.code}.md"
    return f"| [{rule.code}]({page}) {rule.sentence} | {rule.severity.words} |\n"


if __name__ == "__main__":
    print(write_page(), end="")  # noqa: T201 - what it is for
