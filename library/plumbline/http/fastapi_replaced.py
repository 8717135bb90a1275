"""Whether what a compiled route passes by is FastAPI's own.

Other libraries put functions of theirs in place of FastAPI's: New Relic's agent does so with
`run_endpoint_function`, Datadog's with `serialize_response` and `APIRoute.handle`, Sentry's with
`get_request_handler`. A route that passed those by would be missing in what they tell.
"""

import sys
from types import FunctionType, ModuleType
from typing import Any

from fastapi import APIRouter, routing
from fastapi.dependencies import utils
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

# Of the handler and its dependencies, of the layers around it, and of what both are given and make.
_PASSED_BY: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        routing,
        (
            *("request_response", "get_request_handler", "solve_dependencies"),
            *("run_endpoint_function", "serialize_response", "_build_response_args"),
            *("_extract_endpoint_context", "wrap_app_handling_exceptions", "_route_selected"),
        ),
    ),
    (
        utils,
        (
            *("solve_dependencies", "request_params_to_args", "request_body_to_args"),
            *("_solve_generator", "_validate_value_with_model_field", "_get_multidict_value"),
            "run_in_threadpool",
        ),
    ),
    (APIRoute, ("handle", "matches")),
    (Route, ("handle", "matches")),
    (APIRouter, ("app",)),
    (Router, ("__call__",)),
    (ExceptionMiddleware, ("__call__",)),
    (Request, ("__init__", "body", "json", "stream")),
    (Response, ("__init__", "init_headers")),
)


def find_replaced() -> str | None:
    """Which of them is another library's; None: all are FastAPI's."""
    for owner, names in _PASSED_BY:
        for name in names:
            if not _is_own(vars(owner).get(name)):
                return f"{owner.__name__}.{name}"
    return None


def _is_own(found: object) -> bool:
    """Known by the file that its code is in: `functools.wraps` copies the name and the module."""
    if type(found) is not FunctionType or not found.__module__.startswith(
        ("fastapi.", "starlette.")
    ):
        return False
    module: ModuleType | None = sys.modules.get(found.__module__)
    return module is not None and found.__code__.co_filename == module.__file__
