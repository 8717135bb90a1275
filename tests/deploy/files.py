"""The files that deploy the service, read."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.core.config import Settings

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
DATABASE_URL = "postgresql://app:secret@postgres/app"  # what the secret will say


@cache
def compose() -> Any:  # noqa: ANN401 - as YAML has it
    """The services of compose.yaml, by name."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


@cache
def manifests() -> dict[str, Any]:
    """What Kubernetes is given, by kind."""
    parts = [part for file in MANIFESTS for part in yaml.safe_load_all(file.read_text())]
    assert len({part["kind"] for part in parts}) == len(parts)
    return {part["kind"]: part for part in parts}


def pod(kind: str) -> Any:  # noqa: ANN401
    """The pod of a Deployment or Job."""
    return manifests()[kind]["spec"]["template"]["spec"]


def settings(given: dict[str, str]) -> Settings:
    """Those of a process in the image that is given these variables, and the secret."""
    known = {name: value for name, value in given.items() if name in Settings.model_fields}
    assert known.keys() == given.keys()
    make: Any = Settings
    made: Settings = make(
        _env_file=None, **known | {"ENVIRONMENT": "production", "DATABASE_URL": DATABASE_URL}
    )
    return made
