"""Times have a zone and numbers are finite, in whatever comes from outside.

A time without a zone is another one on each machine: Python takes it for the local time of the
process. NaN passes into a column of floats, and then no list with this row can be written as JSON.
"""

from typing import Any

from fastapi.dependencies.models import Dependant
from pydantic import GetCoreSchemaHandler

_INSTEAD = {"datetime": "AwareDatetime", "float": "FiniteFloat"}
_TAKES = {"datetime": "a time without a zone", "float": "NaN"}


def exact(schema: Any, handler: GetCoreSchemaHandler, of: type) -> Any:  # noqa: ANN401
    """The core schema of the model `of`, with these two rules in all of its parts.

    TypeError for a part that is a model or dataclass of its own without them: pydantic takes it as
    it is.
    """
    if isinstance(schema, list):
        return [exact(each, handler, of) for each in schema]
    if not isinstance(schema, dict):
        return schema
    meant: Any = schema
    if schema.get("type") == "definition-ref":
        meant = handler.resolve_ref_schema(meant)
    if meant.get("cls") not in {None, of}:
        _require_exact(meant, of)
    if meant is not schema or meant.get("cls") not in {None, of}:
        return schema
    return {key: exact(value, handler, of) for key, value in schema.items()} | _rule(schema)


def _require_exact(schema: dict[str, Any], of: type) -> None:
    for kind in sorted(inexact_parts(schema)):
        inner = schema["cls"].__name__
        raise TypeError(
            f"{of.__name__} contains {inner}, which takes {_TAKES[kind]}: make {inner} a Payload, "
            f"or write pydantic's {_INSTEAD[kind]}"
        )


def _rule(schema: dict[str, Any]) -> dict[str, Any]:
    match schema.get("type"):
        case "datetime" if "tz_constraint" not in schema:
            return {"tz_constraint": "aware"}
        case "float" if "allow_inf_nan" not in schema:
            return {"allow_inf_nan": False}
    return {}


def inexact_parts(schema: Any) -> set[str]:  # noqa: ANN401 - a core schema, or a part of one
    """The types in it that take more: `datetime`, `float`."""
    if isinstance(schema, list):
        return set().union(*map(inexact_parts, schema))
    if not isinstance(schema, dict):
        return set()
    here = {schema["type"]} if _rule(schema) else set()
    return here.union(*map(inexact_parts, schema.values()))


def require_exact_parameters(dependant: Dependant, name: str) -> None:
    """TypeError for a parameter in a URL or a header that takes a time without a zone, or NaN."""
    fields = (
        *(*dependant.path_params, *dependant.query_params),
        *(*dependant.header_params, *dependant.cookie_params),
    )
    for each in fields:
        for kind in sorted(inexact_parts(each._type_adapter.core_schema)):  # noqa: SLF001
            what = _TAKES[kind]
            raise TypeError(
                f"{name}: `{each.name}: {kind}` takes {what}: write pydantic's {_INSTEAD[kind]}"
            )
    for below in dependant.dependencies:
        require_exact_parameters(below, name)
