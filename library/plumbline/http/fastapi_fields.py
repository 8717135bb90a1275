"""What compiled routes use of FastAPI to read and write values, and that it promises to nobody.

As fastapi_inside.py, in versions that have been compared.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import Request, routing
from fastapi.dependencies import utils
from fastapi.dependencies.models import Dependant
from pydantic import ValidationError

from plumbline.http.fastapi_inside import Undefined, find_module

if TYPE_CHECKING:
    from fastapi.exceptions import EndpointContext

_v2 = find_module("fastapi._compat.v2")
_utils: Any = utils
_routing: Any = routing


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
