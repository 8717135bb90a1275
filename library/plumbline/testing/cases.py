"""What the proofs are tried with: each argument of theirs that is a case, by its name.

The cases come from the service when tests are collected, so a new route, model or migration is in.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Mapper

from plumbline.settings import HttpSettings
from plumbline.testing import plugin
from plumbline.testing.requests import FORM, JSON, operations
from plumbline.testing.service import ServiceUnderTest
from plumbline.testing.wrong_requests import wrong_requests


def _operations(service: ServiceUnderTest) -> Iterable[object]:
    return [
        pytest.param((request, operation), id=request.route)
        for request, operation in operations(service.schemas)
        if request.content_type in {None, JSON, FORM}  # of others no right body is known
    ]


def _access_cases(service: ServiceUnderTest) -> Iterable[object]:
    return [
        pytest.param(
            (request, operation.get("x-access", ""), name), id=f"{request.route} by {name}"
        )
        for request, operation in operations(service.schemas)
        for name in dict.fromkeys(name for names in service.allowed.values() for name in names)
    ]


def _wrong_requests(service: ServiceUnderTest) -> Iterable[object]:
    """Those of one method and path are one case: nothing changes, so they share a world."""
    settings = getattr(service.app.state, "server_settings", None)
    limit = settings.MAX_BODY_BYTES if isinstance(settings, HttpSettings) else 0
    found = wrong_requests(service.schemas, limit)
    grouped = groupby(found, key=lambda request: request.route)
    return [pytest.param(list(requests), id=route) for route, requests in grouped]


def _revisions(service: ServiceUnderTest) -> Iterable[object]:
    scripts = ScriptDirectory.from_config(service.migrations.config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def _versioned_models(service: ServiceUnderTest) -> Iterable[object]:
    return [
        pytest.param(mapper, id=mapper.class_.__name__)
        for mapper in in_order(service.models.registry.mappers)
        if mapper.version_id_col is not None
    ]


def in_order(mappers: Iterable[Mapper[Any]]) -> list[Mapper[Any]]:
    """By name: a set has another order in each process, and pytest-xdist compares them."""
    return sorted(mappers, key=lambda mapper: mapper.class_.__qualname__)


CASES: dict[str, Callable[[ServiceUnderTest], Iterable[object]]] = {
    "operation_case": _operations,
    "access_case": _access_cases,
    "wrong_request_case": _wrong_requests,
    "revision_case": _revisions,
    "versioned_model_case": _versioned_models,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, find in CASES.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, find(plugin.find_service(metafunc.config)))
