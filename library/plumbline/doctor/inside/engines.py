"""The engines and factories of sessions that are alive after the import."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from typing import Any

from .places import Places

_TIMEOUTS = re.compile(r"timeout", re.IGNORECASE)


def living(module: str, *names: str) -> list[Any]:
    """The objects of these classes; by `type`, because a lazy object answers isinstance."""
    found = [getattr(sys.modules.get(module), name, None) for name in names]
    classes = tuple(each for each in found if isinstance(each, type))
    kinds = {type(each) for each in gc.get_objects()} if classes else set()
    wanted = {kind for kind in kinds if issubclass(kind, classes)}
    return [each for each in gc.get_objects() if type(each) in wanted] if wanted else []


def describe(places: Places) -> dict[str, Any]:
    """Engines by their pools: a copy with other options has the pool of the first."""
    wrappers = {
        id(getattr(each, "sync_engine", None)): each
        for each in living("sqlalchemy.ext.asyncio", "AsyncEngine")
    }
    engines, seen = [], set()
    for engine in living("sqlalchemy.engine", "Engine"):
        pool = getattr(engine, "pool", None)
        if pool is not None and id(pool) not in seen:
            seen.add(id(pool))
            engines.append(_engine(engine, pool, wrappers.get(id(engine)), places))
    factories = [
        *living("sqlalchemy.orm", "sessionmaker"),
        *living("sqlalchemy.ext.asyncio", "async_sessionmaker"),
    ]
    return {"engines": engines, "factories": [_factory(each, places) for each in factories]}


def _engine(engine: Any, pool: Any, wrapper: Any, places: Places) -> dict[str, Any]:
    dialect = engine.dialect
    kind = f"engine {getattr(dialect, 'name', '')}+{getattr(dialect, 'driver', '')}"
    return {
        **places.of_value(wrapper if wrapper is not None else engine, kind),
        "is_async": wrapper is not None,
        "dialect": str(getattr(dialect, "name", "")),
        "pool": type(pool).__name__,
        "is_usual": type(pool).__module__.startswith("sqlalchemy."),
        "size": _number(pool, "size"),
        "overflow": getattr(pool, "_max_overflow", None),
        "pre_ping": bool(getattr(pool, "_pre_ping", False)),
        "has_listeners": bool(list(_listeners(pool))) or bool(list(_listeners(engine))),
        "has_timeouts": _has_timeouts(pool),
    }


def _number(pool: Any, name: str) -> int | None:
    """`pool.size()`, which other pools do not have."""
    try:
        return int(getattr(pool, name)())
    except (AttributeError, TypeError, ValueError):
        return None


def _listeners(target: Any) -> Iterator[Any]:
    """The project's functions that hear of connections: they may test or set what they like."""
    for name in ("connect", "first_connect", "checkout", "do_connect", "engine_connect", "begin"):
        for each in getattr(getattr(target, "dispatch", None), name, None) or ():
            if not str(getattr(each, "__module__", "")).startswith("sqlalchemy"):
                yield each


def _has_timeouts(pool: Any) -> bool | None:
    """Whether the arguments of a connection have one; None where they cannot be read."""
    given = list(_arguments(getattr(pool, "_creator", None)))
    return any(_TIMEOUTS.search(repr(each)) for each in given) if given else None


def _arguments(creator: Any) -> Iterator[Any]:
    """SQLAlchemy keeps them in the closure of the function that connects."""
    for cell in getattr(creator, "__closure__", None) or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (each for each in value if isinstance(each, (dict, str)))


def _factory(factory: Any, places: Places) -> dict[str, Any]:
    options = getattr(factory, "kw", None) or {}
    classes = [getattr(factory, "class_", None), options.get("class_")]
    names = [each.__name__ for made in classes for each in getattr(made, "__mro__", ())]
    return {
        **places.of_value(factory, "a factory of sessions"),
        "is_async": "AsyncSession" in names,
        "expires": bool(options.get("expire_on_commit", True)),
    }
