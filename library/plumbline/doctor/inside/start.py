"""Imports an application, and writes what it is into a file."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from . import engines, metadata, models, routes
from .places import Places

_MOST_LINES = 6  # of a traceback


def main(root: str, output: str, what: str, target: str) -> None:
    """End the process by itself: threads that the import started do not keep it alive."""
    sys.path[:0] = [str(each) for each in (Path(root), Path(root, "src")) if each.is_dir()]
    try:
        facts = _models(target) if what == "models" else _describe(root, target)
    except BaseException as error:  # noqa: BLE001 - whatever an import may raise, SystemExit too
        facts = {"error": _told(error), "traceback": _shown(error)}
    Path(output).write_text(json.dumps(facts), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _describe(root: str, target: str) -> dict[str, Any]:
    app = _import(target, "app")
    if not hasattr(app, "routes") and callable(app) and _takes_nothing(app):
        app = app()  # a factory
    places = Places(root)
    found = routes.describe(app, places)
    return {
        **found,
        **engines.describe(places),
        **models.describe(places),
        "versions": {name: _version(name) for name in ("fastapi", "sqlalchemy")},
    }


def _models(target: str) -> dict[str, Any]:
    return metadata.describe(_import(target, "Base"))


def _import(target: str, default: str) -> Any:
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in (path or default).split("."):
        found = getattr(found, name)
    return found


def _takes_nothing(made: Any) -> bool:
    try:
        given = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):
        return False
    return (inspect.isfunction(made) or inspect.ismethod(made)) and all(
        each.default is not each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        for each in given
    )


def _version(name: str) -> str:
    return str(getattr(sys.modules.get(name), "__version__", ""))


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _shown(error: BaseException) -> list[str]:
    """The last lines of its traceback, without those of this package and of importlib."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", str(Path(__file__).parent)))
        and frame.filename != importlib.__file__
    ]
    return [f"{each.filename}:{each.lineno} {each.line or ''}".strip() for each in frames][
        -_MOST_LINES:
    ]
