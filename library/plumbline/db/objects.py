"""What SQLAlchemy has no words for: extensions, functions, triggers, views belong to the models.

`create_all` makes them with the tables, so that `db check` compares them with those of migrations.
"""

import re

from sqlalchemy import DDL, MetaData, Table, event

_REPEATABLE = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\b|.*\bIF\s+NOT\s+EXISTS\b)", re.IGNORECASE)


def create_with(
    owner: MetaData | Table, create: str, *, drop: str | None = None, is_first: bool = False
) -> None:
    """Let `create_all` execute `create` after the tables of `owner`; `is_first`: before them.

    In the order of these calls; `drop_all` executes `drop` before it drops the tables. A migration
    executes the same text by `op.execute`. TypeError for a statement of a MetaData that
    cannot run twice: unlike that of a Table, it runs each time.
    """
    if isinstance(owner, MetaData) and not _REPEATABLE.match(create):
        raise TypeError(
            "create_all runs it each time: write CREATE OR REPLACE …, or CREATE … IF NOT EXISTS; "
            f"or let it belong to a table ({create.strip()[:60]})"
        )
    event.listen(owner, "before_create" if is_first else "after_create", _ddl(create))
    if drop is not None:
        event.listen(owner, "before_drop", _ddl(drop), insert=True)  # the last one made goes first


def _ddl(statement: str) -> DDL:
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
