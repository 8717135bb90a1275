"""Engines, factories of sessions and models, as they are after the import."""

from collections import defaultdict
from collections.abc import Iterator

from plumbline.doctor.finding import Severity
from plumbline.doctor.registry import Fault
from plumbline.doctor.run.application import Application, Part, as_in_code, run_rule

_MOST_CONNECTIONS = 100  # of PostgreSQL, where nobody says another number


def _pools(app: Application) -> list[Part]:
    """Of PostgreSQL, that keep connections; the project's own kind of pool is not judged."""
    return [
        each
        for each in app.all("engines")
        if each["dialect"] == "postgresql" and each["is_usual"] and each["size"] is not None
    ]


@as_in_code("PL101")
def connections_not_tested(app: Application) -> Iterator[Fault]:
    for each in _pools(app):
        if not each["pre_ping"] and not each["has_listeners"]:
            yield app.fault(
                each,
                f"the pool of `{each['name']}` has no pool_pre_ping: requests fail with the"
                " connections that a restart, a failover or a firewall has closed",
            )


@as_in_code("PL103")
def too_many_connections(app: Application) -> Iterator[Fault]:
    pools = _pools(app)
    for each in pools:
        if each["overflow"] is not None and each["overflow"] < 0:
            yield app.fault(
                each, f"max_overflow of `{each['name']}` is -1: nothing bounds its pool"
            )
    workers, source = app.workers
    most = sum(each["size"] + max(0, each["overflow"] or 0) for each in pools)
    if workers is not None and most * workers > _MOST_CONNECTIONS:
        yield app.fault(
            max(pools, key=lambda each: int(each["size"])),
            f"{workers} workers ({source}) with pools of {most} connections are {most * workers};"
            f" PostgreSQL takes {_MOST_CONNECTIONS} unless told otherwise, and refuses the rest",
        )


@as_in_code("PL104")
def no_timeouts(app: Application) -> Iterator[Fault]:
    for each in _pools(app):
        if each["has_timeouts"] is False and not each["has_listeners"]:
            yield app.fault(
                each,
                f"no timeout is among what `{each['name']}` connects with: when the server hangs,"
                " requests hang, and their connections with them",
            )


@as_in_code("PL301")
def expire_on_commit(app: Application) -> Iterator[Fault]:
    for each in app.all("factories"):
        if each["is_async"] and each["expires"]:
            yield app.fault(
                each,
                f"sessions of `{each['name']}` expire their objects at commit(), and reading one"
                " again is a SELECT without an await: MissingGreenlet",
            )


@as_in_code("PL302")
def lazy_relationship(app: Application) -> Iterator[Fault]:
    by_file: dict[str, list[Part]] = defaultdict(list)
    for each in app.all("relationships"):
        if each["lazy"] in {"select", "True"}:
            by_file[each["file"] or each["name"]].append(each)
    for lazy in by_file.values() if app.is_async else ():
        more = f", and {len(lazy) - 1} more in this file" if len(lazy) > 1 else ""
        yield app.fault(
            lazy[0],
            f"reading `{lazy[0]['name']}` outside of a query that loads it is MissingGreenlet in"
            f" async code{more}",
        )


@as_in_code("PL303")
def naive_time(app: Application) -> Iterator[Fault]:
    seen = set()
    for each in app.all("times"):
        at = (each["file"], each["line"]) if each["file"] else (each["name"], 0)
        if at not in seen and _is_of_postgresql(app):
            seen.add(at)
            yield app.fault(
                each,
                f"`{each['name']}` forgets the zone: what is read is another instant on each"
                " machine",
            )


def _is_of_postgresql(app: Application) -> bool:
    """Also where no engine is made yet."""
    dialects = {each["dialect"] for each in app.all("engines")}
    return not dialects or "postgresql" in dialects


@as_in_code("PL304")
def no_naming_convention(app: Application) -> Iterator[Fault]:
    is_migrated = any("alembic" in path for path in app.project.files)
    for each in app.all("bases") if is_migrated else ():
        if not each["is_named"]:
            yield app.fault(
                each,
                f"without a naming_convention in the metadata of `{each['name']}`, a migration"
                " cannot drop or change a constraint by a name that is the same in all databases",
            )


@run_rule("PL803", Severity.STOPS_THE_SERVICE, "the models cannot be configured")
def broken_models(app: Application) -> Iterator[Fault]:
    if app.facts["broken"]:
        yield app.fault(
            {"name": "models", "file": None, "line": 0},
            f"the first query of the service will raise: {app.facts['broken']}",
        )
