"""An application as `inside` describes it, and the faults of its parts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from plumbline.doctor.engines import most_workers
from plumbline.doctor.finding import NOWHERE, Place, Severity
from plumbline.doctor.manifests import AFTER_EXIT, BEFORE_EXIT, Version, read_version
from plumbline.doctor.project import Project
from plumbline.doctor.registry import Fault, Rule
from plumbline.doctor.rules import RULES
from plumbline.doctor.source import lines_of

Part = dict[str, Any]  # it has a `name`, a `file` or None, and a `line`


@dataclass
class Application:
    """`facts` is what plumbline.doctor.inside has written of it."""

    root: Path
    facts: dict[str, Any]
    _lines: dict[str, list[str]] = field(default_factory=dict)

    def all(self, kind: str) -> list[Part]:
        """Its routes, engines, factories, middlewares, relationships, times or bases."""
        return list(self.facts[kind])

    @cached_property
    def fastapi(self) -> Version:
        return read_version(self.facts["versions"]["fastapi"])

    @property
    def answers_after_exit(self) -> bool:
        """Whether the response is sent before the code behind a dependency's yield runs."""
        return not BEFORE_EXIT <= self.fastapi < AFTER_EXIT

    @property
    def is_async(self) -> bool:
        """Whether requests use async sessions."""
        made = [*self.all("engines"), *self.all("factories")]
        return any(each["is_async"] for each in made) or any(
            "async" in each["sessions"].values() for each in self.all("routes")
        )

    @cached_property
    def project(self) -> Project:
        """Its files."""
        return Project(self.root)

    @cached_property
    def workers(self) -> tuple[int | None, str]:
        return most_workers(self.project)

    def dependencies(self, route: Part) -> list[Part]:
        """All that it depends on, to the last."""
        known: dict[str, Part] = self.facts["dependencies"]
        return [known[key] for key in route["dependencies"]]

    def fault(self, part: Part, message: str, severity: Severity | None = None) -> Fault:
        """At the line of a part, or by its name where it has none."""
        if not part["file"] or not part["line"]:
            return Fault(part["name"], NOWHERE, message, severity)
        line = self._line(part["file"], part["line"])
        start = len(line) - len(line.lstrip())
        place = Place(part["line"], start, part["line"], len(line.rstrip()))
        return Fault(part["file"], place, message, severity)

    def _line(self, path: str, number: int) -> str:
        if path not in self._lines:
            self._lines[path] = lines_of((self.root / path).read_bytes())
        lines = self._lines[path]
        return lines[number - 1] if number <= len(lines) else ""


Check = Callable[[Application], Iterator[Fault]]


def run_rule(code: str, severity: Severity, sentence: str) -> Callable[[Check], Rule]:
    """Make a rule of a function, whose name is the rule's."""

    def make(check: Check) -> Rule:
        return Rule(code, severity, sentence, check)

    return make


def as_in_code(code: str) -> Callable[[Check], Rule]:
    """Make a rule that finds in the application what the rule of this code finds in its files."""
    (known,) = [each for each in RULES if each.code == code]

    def make(check: Check) -> Rule:
        return replace(known, check=check)

    return make
