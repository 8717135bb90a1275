"""All that compiled routes use of FastAPI and that it promises to nobody (docs/adr/0055).

Looked up when it is called, and only in versions that have been compared: in another one no name
of these needs to exist.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import fastapi
import starlette
from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled
from fastapi import APIRouter, Request, routing
from fastapi.dependencies import models, utils
from fastapi.dependencies.models import Dependant
from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope

from plumbline.http.fastapi_replaced import find_replaced

if TYPE_CHECKING:
    from fastapi.exceptions import EndpointContext

# Versions of FastAPI whose handler has been compared with the compiled one
# (library/plumbline_tests/http/test_compiled_routes.py), and of the Starlette below it.
COMPARED = {"0.165.0"}
COMPARED_STARLETTE = {"1.10.0"}
# What its handler is made of there. Another name is something that nobody here knows.
_MADE_OF = {
    *("dependant", "dependency_overrides_provider", "embed_body_fields", "form_limits"),
    *("body_field", "is_body_form", "actual_strict_content_type", "is_coroutine"),
    *("status_code", "actual_response_class", "response_class", "response_field"),
    *("response_model_include", "response_model_exclude", "response_model_by_alias"),
    *("response_model_exclude_unset", "response_model_exclude_defaults"),
    *("response_model_exclude_none", "stream_item_field", "is_json_stream", "is_sse_stream"),
}

# In the scope of a request to a route that was included; None: the name is another one now.
INCLUDED: str | None = getattr(routing, "_FASTAPI_SCOPE_KEY", None)
_EFFECTIVE: str | None = getattr(routing, "_FASTAPI_EFFECTIVE_ROUTE_CONTEXT_KEY", None)
# Among the routes: a tree of others, which were included.
IncludedRouter: type | None = getattr(routing, "_IncludedRouter", None)
TRACES_ALONE = "plumbline_traces_alone"  # in the state of an application: nobody else has spans
Undefined = PydanticUndefined  # what was not sent
HANDLERS = "starlette.exception_handlers"  # in the scope: by class, and by status
FILES = "fastapi_middleware_astack"  # in the scope: an exit stack, for files of forms


def _module(name: str) -> Any:  # noqa: ANN401 - a module
    """None: there is no such one in this version, which is not a compared one."""
    try:
        return import_module(name)
    except ImportError:
        return None


_models: Any = models
_v2 = _module("fastapi._compat.v2")
_stacks = _module("fastapi.middleware.asyncexitstack")
_handling = _module("starlette._exception_handler")
_utils: Any = utils
_routing: Any = routing


class Unknown(Exception):
    """Why a route is left to FastAPI's own handler."""


def included_path(scope: Mapping[str, Any]) -> str | None:
    """The path of a route with the prefixes of the routers that include it; None: not to be had."""
    context = (scope.get(INCLUDED or "") or {}).get(_EFFECTIVE)
    return getattr(getattr(context, "starlette_route", None) or context, "path", None)


def find_difference() -> str | None:
    """Why no route is compiled; None: all is as it was when it was compared."""
    if fastapi.__version__ not in COMPARED:
        return f"FastAPI {fastapi.__version__} has not been compared"
    if starlette.__version__ not in COMPARED_STARLETTE:
        return f"Starlette {starlette.__version__} has not been compared"
    replaced = find_replaced()
    return replaced and f"{replaced} is another library's"


def made_of(handle: Callable[..., Any]) -> dict[str, Any]:
    """What FastAPI made this handler of; Unknown where nobody has compared it."""
    if (difference := find_difference()) is not None:
        raise Unknown(difference)
    function: Any = handle
    code: Any = getattr(function, "__code__", None)
    names: tuple[str, ...] = ()
    if code is not None and function.__module__ == routing.__name__:
        names = code.co_freevars
    if set(names) != _MADE_OF:
        raise Unknown("its handler is not FastAPI's own")
    return dict(zip(names, (cell.cell_contents for cell in function.__closure__), strict=True))


def called_by_name() -> tuple[object, ...]:
    """What other libraries replace most often, also late; the others are looked at once."""
    return (
        _routing.solve_dependencies,
        _routing.run_endpoint_function,
        _routing.serialize_response,
        _routing.APIRoute.handle,
    )


def give_body(request: Request, body: bytes, receive: Receive) -> bool:
    """Let it have the body that it would read from `receive`, as if it had.

    False where it reads from another one, which may change the body, or where it has it already.
    """
    if request._receive is not receive or "_body" in request.__dict__:  # noqa: SLF001
        return False
    request._body, request._stream_consumed = body, True  # noqa: SLF001
    return True


def tells_steps(request: Request, telemetry: Any) -> bool:  # noqa: ANN401 - FastAPI's, of a traced request
    """Whether anybody hears of parameters, dependencies and the like: not where TRACES is set."""
    is_ours = getattr(request.app.state, TRACES_ALONE, False)
    return not is_ours or telemetry.tracer is not None or telemetry.logger is not None


def handler_of(app: ASGIApp) -> Callable[..., Any] | None:
    """What the `app` of a route calls; None where it is not as FastAPI makes it."""
    code: Any = getattr(app, "__code__", None)
    is_known = (
        app.__module__ == routing.__name__ and code is not None and code.co_freevars == ("f",)
    )
    closure: Any = getattr(app, "__closure__", None)
    return closure[0].cell_contents if is_known else None


class InnerLayers(NamedTuple):
    """What FastAPI puts between the application's middleware and its routes."""

    handlers: tuple[Any, Any]  # HANDLERS of the application
    router: APIRouter
    stack: ASGIApp  # of the router; another one: somebody has put middleware there


def inner_layers(app: ASGIApp) -> InnerLayers | None:
    """Of the application whose innermost middleware calls `app`; None: it has others."""
    exceptions: Any = app
    stacks = getattr(app, "app", None)
    router: Any = getattr(stacks, "app", None)
    if (
        find_difference() is not None
        or type(exceptions) is not ExceptionMiddleware
        or type(stacks) is not _stacks.AsyncExitStackMiddleware
        or type(router) is not APIRouter
        or router.middleware_stack != router.app
        or router.form_limits
    ):
        return None
    handlers = exceptions._exception_handlers, exceptions._status_handlers  # noqa: SLF001
    return InnerLayers(handlers, router, router.middleware_stack)


def handling_exceptions(app: ASGIApp, request: Request) -> ASGIApp:
    """`app`, with the exceptions of `request` handled as the application says."""
    made: ASGIApp = _handling.wrap_app_handling_exceptions(app, request)
    return made


def is_generator(call: Callable[..., Any] | None) -> bool:
    """Whether it has a `yield`, after which something is to be done."""
    return bool(_models._is_gen_callable(call) or _models._is_async_gen_callable(call))  # noqa: SLF001


def is_async(call: Callable[..., Any] | None) -> bool:
    """Whether it is to be awaited; else it runs in a thread."""
    return bool(_models._is_coroutine_callable(call))  # noqa: SLF001


def enterer_of(dependant: Dependant) -> Callable[[Request, dict[str, Any]], Awaitable[object]]:
    """Runs a dependency to its `yield`; the rest waits for the end of the function or request."""
    call: Any = dependant.call
    scope = "function" if dependant.scope == "function" else "inner"
    stack_name = f"fastapi_{scope}_astack"
    if not _models._is_async_gen_callable(call):  # noqa: SLF001
        return partial(_enter_by_fastapi, dependant, stack_name)
    manage = asynccontextmanager(call)

    async def enter(request: Request, arguments: dict[str, Any]) -> object:
        stack: AsyncExitStack = request.scope[stack_name]
        manager = _Shielded(manage(**arguments), _closing_scope(request.scope))
        return await stack.enter_async_context(manager)

    return enter


async def _enter_by_fastapi(
    dependant: Dependant, stack_name: str, request: Request, arguments: dict[str, Any]
) -> object:
    return await _utils._solve_generator(  # noqa: SLF001
        dependant=dependant,
        stack=request.scope[stack_name],
        sub_values=arguments,
        request=request,
    )


def _closing_scope(scope: Scope) -> CancelScope:
    """The one of a request, as `_solve_generator` makes it: around all that is entered."""
    made: dict[AsyncExitStack, CancelScope]
    made = scope.setdefault("fastapi_async_cleanup_scopes", {})
    stack: AsyncExitStack = scope["fastapi_inner_astack"]
    if (found := made.get(stack)) is None:
        found = made[stack] = stack.enter_context(CancelScope())
        stack.callback(made.pop, stack)
    return found


class _Shielded:
    """As FastAPI's `_asynccontextmanager_with_shielded_exit`, without a generator of its own."""

    __slots__ = ("manager", "scope", "was_shielded")

    def __init__(self, manager: AbstractAsyncContextManager[object], scope: CancelScope) -> None:
        self.manager = manager
        self.scope = scope

    async def __aenter__(self) -> object:
        self.was_shielded = self.scope.shield
        return await self.manager.__aenter__()

    async def __aexit__(self, *error: Any) -> bool | None:  # noqa: ANN401, PYI036 - handed on
        self.scope.shield = True
        try:
            is_over = await self.manager.__aexit__(*error)
        finally:
            self.scope.shield = self.was_shielded
        if is_over or error[0] is None:
            await checkpoint_if_cancelled()
        return is_over


def plain_alias(field: Any) -> str | None:  # noqa: ANN401 - FastAPI's ModelField
    """Under which name it is sent; None for a list, a model, and what has several names."""
    names = _utils._get_param_aliases(field)  # noqa: SLF001
    is_model = _utils._get_param_model(field) is not None  # noqa: SLF001
    is_list = _utils.field_annotation_is_sequence(field.field_info.annotation)
    return None if len(names) > 1 or is_model or is_list else str(names[0][1])


def validator_of(field: Any) -> Callable[..., Any]:  # noqa: ANN401 - FastAPI's ModelField
    """What `field.validate` asks of pydantic; it raises ValidationError."""
    validate: Callable[..., Any] = field._type_adapter.validator.validate_python  # noqa: SLF001
    return partial(validate, from_attributes=True)


def writer_of(field: Any, options: dict[str, Any]) -> Callable[[Any], bytes]:  # noqa: ANN401
    """What `field.serialize_json` asks of pydantic."""
    return partial(field._type_adapter.serializer.to_json, **options)  # noqa: SLF001


def errors_of(error: ValidationError, location: tuple[str, ...]) -> list[Any]:
    """As `field.validate` gives them."""
    told: list[Any] = _v2._regenerate_error_with_loc(  # noqa: SLF001
        errors=error.errors(include_url=False), loc_prefix=location
    )
    return told


def read_parameter(field: Any, received: Any) -> tuple[dict[str, Any], list[Any]]:  # noqa: ANN401
    """The argument by its name, and what is wrong with it."""
    found: tuple[dict[str, Any], list[Any]] = utils.request_params_to_args([field], received)
    return found


def read_absent(field: Any, location: tuple[str, ...]) -> tuple[Any, list[Any]]:  # noqa: ANN401
    """What a parameter is that was not sent, and what is wrong with that."""
    found: tuple[Any, list[Any]] = _utils._validate_value_with_model_field(  # noqa: SLF001
        field=field, value=Undefined, values={}, loc=location
    )
    return found


def where_of(dependant: Dependant, request: Request) -> "EndpointContext":
    """For the words of an error: which function, in which file, for which path."""
    where: EndpointContext = _routing._extract_endpoint_context(dependant.call)  # noqa: SLF001
    if dependant.path:
        mounted_at = request.scope.get("root_path", "").rstrip("/")
        where["path"] = f"{request.method} {mounted_at}{dependant.path}"
    return where
