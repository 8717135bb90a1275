"""Bring the files of new projects along, which are those of the service beside this folder."""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INTO = "plumbline/template/service"


class CustomBuildHook(BuildHookInterface[Any]):
    """Put what template.toml names into wheels and source distributions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Nothing in an editable installation, which finds the repository, and where they are."""
        root = Path(self.root)
        if version == "editable" or (root / INTO).exists():
            return
        described = tomllib.loads((root / "plumbline/template/template.toml").read_text())
        for pattern in described["files"]:
            for file in root.parent.glob(pattern):
                path = file.relative_to(root.parent).as_posix()
                build_data["force_include"][str(file)] = f"{INTO}/{path}"
