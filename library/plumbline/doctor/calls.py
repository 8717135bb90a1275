"""The calls of a project, by what they call: each is resolved once, for all rules."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.doctor.project import Project
from plumbline.doctor.source import Module


@dataclass(frozen=True, slots=True)
class Called:
    """A call in `module` of what `dotted` names: "fastapi.Depends"."""

    module: Module
    node: ast.Call
    dotted: str

    @property
    def package(self) -> str:
        return self.dotted.partition(".")[0]


def calls_of(project: Project, packages: str, *names: str) -> Iterator[Called]:
    """Those of one of `names` of one of `packages` ("jwt jose"), in code that requests run."""
    known = project.remember(_by_name)
    wanted = packages.split()
    for name in names:
        yield from (each for each in known.get(name, ()) if each.package in wanted)


def methods_called(project: Project, name: str) -> Iterator[tuple[Module, ast.Call]]:
    """Each `….name(…)`, whatever it is a method of, in code that requests run."""
    yield from project.remember(_by_method).get(name, ())


def _by_name(project: Project) -> dict[str, list[Called]]:
    found: dict[str, list[Called]] = defaultdict(list)
    for module in project.served:
        for call in module.every(ast.Call):
            dotted = project.resolve(module, call.func)
            if dotted is not None:
                found[dotted.rpartition(".")[2]].append(Called(module, call, dotted))
    return found


def _by_method(project: Project) -> dict[str, list[tuple[Module, ast.Call]]]:
    found: dict[str, list[tuple[Module, ast.Call]]] = defaultdict(list)
    for module in project.served:
        for call in module.every(ast.Call):
            if isinstance(call.func, ast.Attribute):
                found[call.func.attr].append((module, call))
    return found
