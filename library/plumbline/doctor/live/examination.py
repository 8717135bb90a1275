"""A run of the rules over a database."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import Diagnosis, conclude
from plumbline.doctor.live.database import USUAL, Database, Thresholds, Unreachable, opened
from plumbline.doctor.live.pooler import find_pooler
from plumbline.doctor.live.rules import LIVE_RULES
from plumbline.doctor.registry import Fault, Rule
from plumbline.doctor.source import Unread

SECONDS = 30.0
_NO_POOLING_BY_STATEMENT = (
    "the database: a pooler in statement mode is between, which takes no transactions: name the"
    " server itself"
)


def examine(
    conninfo: str,
    configuration: Configuration,
    baseline: Counter[str] | None = None,
    *,
    models: list[dict[str, Any]] | None = None,
    thresholds: Thresholds = USUAL,
    seconds: float = SECONDS,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Find the faults of a database without writing to it; Unreachable where it does not answer."""
    with opened(conninfo, seconds, thresholds) as database:
        database.models = models or []
        found: list[tuple[Rule, Fault]] = []
        try:
            subject = _subject(database)
            for rule in LIVE_RULES:
                on_progress(rule.code)
                found += [(rule, fault) for fault in _faults(database, rule)]
        except psycopg.OperationalError as error:
            raise Unreachable(_reason(database, error, seconds)) from None
        unread = [Unread(", ".join(what), why) for why, what in database.unseen.items()]
    whole = Diagnosis(Path(), [], 0, unread, subject=subject)
    return conclude(whole, found, configuration, baseline)


def _faults(database: Database, rule: Rule) -> Iterator[Fault]:
    """Those of one rule; what it may not see, or not in time, is told at the end."""
    try:
        yield from rule.check(database)
    except errors.InsufficientPrivilege as error:
        database.miss(rule.code, str(error.diag.message_primary))
    except (errors.QueryCanceled, errors.LockNotAvailable):
        database.miss(rule.code, "the server was too slow to say")
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction) as error:
        database.miss(rule.code, f"the server does not say: {error.diag.message_primary}")


def _subject(database: Database) -> str:
    pooler = find_pooler(database)
    between = f", behind a pooler {pooler.words}" if pooler else ""
    version = database.connection.info.parameter_status("server_version") or ""
    return f"database {database.name} of PostgreSQL {version.partition(' ')[0]}{between}"


def _reason(database: Database, error: psycopg.OperationalError, seconds: float) -> str:
    if time.monotonic() >= database.ends_at - 0.01:
        return f"the database: no answer within {seconds:g} s"
    if "statement pooling" in str(error):
        return _NO_POOLING_BY_STATEMENT
    return f"the database: {' '.join(str(error).split())}"
