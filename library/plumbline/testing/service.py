"""What a service says of itself, in one place: the hook `pytest_plumbline_service` gives it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase

from plumbline.db.migrate import Migrations
from plumbline.testing.requests import Request
from plumbline.testing.schemas import Schemas

Headers = Mapping[str, str]


@dataclass(frozen=True)
class World:
    """Everybody who may ask, each with the headers that say so, and what there is to ask for.

    `path_params` are values for the parameters of paths, by name: ids of what belongs to the
    principal that a rule calls the owner. `secrets` are texts that no refusal may contain.
    """

    principals: Mapping[str, Headers]
    path_params: Mapping[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def advice(self, request: Request) -> str:
        """What to do where something is not found: perhaps nobody has said what there is."""
        unsaid = [name for name in request.path_params if name not in self.path_params]
        return f" (give {', '.join(unsaid)} in World.path_params)" if unsaid else ""

    def about(self, request: Request) -> Request:
        """`request` for what is there, unless its path is what is wrong."""
        if request.keeps_path:
            return request
        known = {n: v for n, v in self.path_params.items() if n in request.path_params}
        path_params = request.path_params | known
        unknown = [name for name, value in path_params.items() if value is None]
        assert not unknown, f"{request.route}: give {', '.join(unknown)} in World.path_params"
        return replace(request, path_params=path_params)


async def nobody() -> World:
    """The world of a service where everything is for everybody."""
    return World({"anonymous": {}})


@dataclass(frozen=True, kw_only=True)
class ServiceUnderTest:
    """The service, and what no generator can know of it.

    `allowed` names, for each access rule, the principals of `world` who may; the first one asks
    where any will do. `unknown` are those who are answered 401 and not 403 or 404.
    `values` are right values of parameters and fields, by `"POST /books isbn"` or by `"isbn"`.
    `rows` are values of columns, by table, for constraints that a generated row would violate.
    `reference_tables` have rows from their migration, and are not emptied.
    """

    app: FastAPI
    migrations: Migrations
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    models: type[DeclarativeBase]
    world: Callable[[], Awaitable[World]] = nobody
    allowed: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"anonymous": ["anonymous"]}
    )
    unknown: frozenset[str] = frozenset({"anonymous"})
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference_tables: frozenset[str] = frozenset()

    @property
    def metadata(self) -> MetaData:
        """All tables."""
        return self.migrations.metadata

    @cached_property
    def schemas(self) -> Schemas:
        """The OpenAPI document."""
        return Schemas(self.app.openapi(), self.values)

    def principals_for(self, rule: str) -> Sequence[str]:
        """Who may, first of all the one who asks where any will do."""
        assert rule in self.allowed, f"say in ServiceUnderTest.allowed who may by the rule {rule!r}"
        return self.allowed[rule]
