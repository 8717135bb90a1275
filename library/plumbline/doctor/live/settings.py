"""Settings of the server, of its databases and of its roles."""

from collections.abc import Iterator
from typing import LiteralString

from plumbline.doctor.finding import Severity
from plumbline.doctor.live.database import NAME, Database, fault
from plumbline.doctor.live.registry import live_rule
from plumbline.doctor.registry import Fault

_DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")
# Where a role or a database sets another value, the server's own is not shown.
_OF_SERVER: LiteralString = """
SELECT name, setting FROM pg_settings
WHERE source NOT IN ('database', 'user', 'database user', 'client', 'session') AND name = ANY(%s)
"""
_OF_OTHERS: LiteralString = """
SELECT coalesce(d.datname, ''), coalesce(r.rolname, ''), unnest(s.setconfig)
FROM pg_db_role_setting s
LEFT JOIN pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = 0 OR d.datname = current_database()
"""
_ROLES: LiteralString = """
SELECT DISTINCT r.rolname FROM pg_roles r
LEFT JOIN pg_stat_activity a ON a.usesysid = r.oid
WHERE NOT r.rolsuper AND (r.rolname = current_user
OR a.datname = current_database() AND a.application_name <> %s)
ORDER BY 1
"""
_ENDING = ("idle_in_transaction_session_timeout", "transaction_timeout")
Settings = dict[tuple[str, str], dict[str, str]]  # by database and role; "" is any


def read_settings(database: Database, names: tuple[str, ...]) -> Settings:
    """The values of settings: the server's, and those of databases and roles."""
    found: Settings = {("", ""): dict(database.rows(_OF_SERVER, list(names)))}
    for of_database, of_role, pair in database.rows(_OF_OTHERS):
        name, _, value = pair.partition("=")
        if name in names:
            found.setdefault((of_database, of_role), {})[name] = value
    return found


@live_rule("PL711", Severity.LOSES_DATA, "a crash takes back what was committed")
def not_durable(database: Database) -> Iterator[Fault]:
    for (of_database, of_role), values in read_settings(database, _DURABILITY).items():
        names = [
            *([f"role {of_role}"] if of_role else []),
            *([f"database {of_database}"] if of_database else []),
        ]
        for name in [each for each in _DURABILITY if values.get(each, "on") in _OFF]:
            yield fault(
                " in ".join(names) or "server",
                f"{name} is off: a COMMIT is acknowledged that a crash or a power failure undoes"
                + (", or the data files are beyond repair" if name != _DURABILITY[2] else ""),
            )


_OFF = {"off", "false", "no", "0"}


@live_rule("PL712", Severity.HAZARD, "nothing ends a transaction that is left open")
def no_timeouts(database: Database) -> Iterator[Fault]:
    settings = read_settings(database, _ENDING)
    for (role,) in database.rows(_ROLES, NAME):
        if not any(_value(settings, database.name, role, name) for name in _ENDING):
            yield fault(
                f"role {role}",
                f"no {_ENDING[0]} for this role or database: a session that sets none itself, such"
                " as a person's, may keep its locks for ever",
            )


def _value(settings: Settings, database: str, role: str, name: str) -> bool:
    """Whether it is on for a role in a database: the nearest of its values counts."""
    for key in ((database, role), ("", role), (database, ""), ("", "")):
        if name in settings.get(key, {}):
            return settings[key][name] not in {"0", "0ms", "0s"}
    return False
