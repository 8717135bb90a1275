"""The doctor's page on what runs.

`python -m tests.doctor_live_page > library/docs/doctor_live.md`
"""

from plumbline.doctor.live.rules import LIVE_RULES
from plumbline.doctor.registry import Rule
from plumbline.doctor.run.rules import RUN_RULES

HEAD = """# The doctor, at what runs

Some faults are in no file. `--live` looks at a database, whatever made its tables; `--run` imports
an application, and looks at what it has become.

```sh
plumbline doctor --live postgresql://user@host/shop
plumbline doctor --live DATABASE_URL  # the variable that has the URL; `service=shop` works as well
plumbline doctor --live DATABASE_URL --models app.models:Base  # what the models say, too
plumbline doctor --run app.main:app   # or a factory: app.main:create_app
plumbline doctor --explain PL702      # why, and what to do
```

Formats, `--fail-on`, `ignore` and baselines are those of [the doctor](doctor.md).

## It promises

- `--live` only reads: catalogues and statistics, never a row of a table, each question in a READ
  ONLY transaction of its own, with a `statement_timeout` of 5 s and a `lock_timeout` of 0.2 s. It
  ends after `--time-limit` (30 s), whatever the server does.
- Statements of others are shown without their values, and no message has a password.
- A role sees what it may. What it could not see is one line: `GRANT pg_monitor TO role` shows all.
- A finding has an object in place of a line: `public.book.author_id`, `role shop`.
  `per-file-ignores` takes it as well: `"public.legacy_*" = ["PL724"]`. Its baseline is another file
  than that of the code: `--baseline live.json`.
- `--models` compares tables that have a model: columns, their types, NULL, keys. An application's
  own process reads the models, and never gets the URL.
- `--run` imports in a process of its own, which ends after `--time-limit` (60 s) with all that it
  has started. What the import prints is kept apart. One that fails is a line with the end of its
  traceback. The lifespan does not run, no request is made, and no connection is opened.
- What it finds has the code, the page and the `noqa` of the rule for files, and the line of the
  object: a commit is found behind partials, methods, callable objects, wrappers and decorators.

## It needs

For `--live` a PostgreSQL from 13 on. Behind PgBouncer it says so, and its mode as far as that can
be proved from outside: one that lends by transaction gives a second session the process of the
first. For session mode there is no proof, and behind statement mode nothing can be read. It does
not see what a service sets for each of its connections, nor how many more a pool may open.

For `--run` the project's own interpreter (that of `.venv`, or `--python`), Python 3.8 or newer, and
nothing of this library in it; settings as for a start. It does not see engines that only the
lifespan or a request makes.

This page is what `python -m tests.doctor_live_page` prints.

| Rule | Severity |
|---|---|
"""


def write_page() -> str:
    rows = [
        "| **A database: `--live`** | |\n",
        *map(_row, LIVE_RULES),
        "| **An application: `--run`** | |\n",
        *map(_row, RUN_RULES),
    ]
    return HEAD + "".join(rows)


def _row(rule: Rule) -> str:
    page = f"../plumbline/doctor/pages/{rule.code}.md"
    return f"| [{rule.code}]({page}) {rule.sentence} | {rule.severity.words} |\n"


if __name__ == "__main__":
    print(write_page(), end="")  # noqa: T201 - what it is for
