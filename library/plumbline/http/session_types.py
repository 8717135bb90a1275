"""Whether a function is about a database: by its annotations, and by what its names mean."""

import re
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, get_args, get_type_hints

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from plumbline.http.generators import namespace_of, own_nodes, resolve, source_of

_SESSIONS = (AsyncSession, AsyncConnection, Session, Connection)
_FACTORIES = (
    *(AsyncEngine, Engine, async_sessionmaker, sessionmaker),
    *(async_scoped_session, scoped_session),
)
# For annotations that cannot be evaluated: those of names imported for type checkers alone.
_WORDS = re.compile(r"\b(Async)?(Session|Connection)\b")


def names_a_session(function: FunctionType, name: str) -> bool:
    """Whether the annotation `name` (of a parameter, or `return`) is about a session."""
    return _is_about_a_session(_hints(function).get(name))


def gives_a_session(function: FunctionType, name: str) -> bool:
    """The same, but not for an engine or a factory, which open nothing by themselves."""
    return _is_about_a_session(_hints(function).get(name), _SESSIONS)


def takes_an_async_session(function: FunctionType, name: str) -> bool:
    """Whether the parameter `name` is one that can only be used with `await`."""
    return _is_about_a_session(_hints(function).get(name), (AsyncSession, AsyncConnection))


def knows_a_database(function: FunctionType, call: Callable[..., Any]) -> bool:
    """Whether an annotation of it, a name in it, or an attribute of its object is of SQLAlchemy."""
    if any(_is_about_a_session(hint) for hint in _hints(function).values()):
        return True
    owner = getattr(call, "__self__", call)
    return any(
        _is_of_a_database(each) or _has_a_database(each)
        for each in [*getattr(owner, "__dict__", {}).values(), *_meanings(function)]
    )


def _hints(function: FunctionType) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # noqa: BLE001 - evaluates what anybody has written
        return dict(function.__annotations__)


def _is_about_a_session(hint: object, kinds: tuple[type, ...] = _SESSIONS + _FACTORIES) -> bool:
    """In `AsyncIterator[AsyncSession]`, and also where the generator is annotated as its yield."""
    if isinstance(hint, str):
        return _WORDS.search(hint) is not None
    is_one = isinstance(hint, type) and issubclass(hint, kinds)
    origin = getattr(hint, "__origin__", None)
    return (
        is_one
        or origin in kinds
        or any(_is_about_a_session(part, kinds) for part in get_args(hint))
    )


def _meanings(function: FunctionType) -> Iterator[object]:
    definition, names = source_of(function), namespace_of(function)
    for node in own_nodes(definition) if definition else ():
        yield resolve(node, names)


def _has_a_database(meant: object) -> bool:
    """Whether it is a class of the service with a method that names one: a unit of work."""
    methods = vars(meant).values() if isinstance(meant, type) else ()
    functions = [each for each in methods if isinstance(each, FunctionType)]
    return any(_is_of_a_database(each) for one in functions for each in _meanings(one))


def _is_of_a_database(meant: object) -> bool:
    if isinstance(meant, type):
        return issubclass(meant, _SESSIONS)
    return isinstance(meant, (*_FACTORIES, *_SESSIONS))
