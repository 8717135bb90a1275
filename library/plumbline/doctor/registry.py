"""What a rule is: a function from a project to the faults that it finds, and its page."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from plumbline.doctor.finding import Edit, Place, Severity
from plumbline.doctor.project import Project
from plumbline.doctor.source import Module

PAGES = Path(__file__).with_name("pages")
_EXAMPLE = re.compile(r"```(?:python|toml|yaml|dockerfile|sql)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Fault:
    """What a rule has found; `severity` where it is another than the rule's."""

    path: str
    place: Place
    message: str
    severity: Severity | None = None
    edit: Edit | None = None


Located = ast.expr | ast.stmt | ast.excepthandler


def fault(
    module: Module,
    node: Located,
    message: str,
    severity: Severity | None = None,
    edit: Edit | None = None,
) -> Fault:
    """A fault at a node of a module."""
    return Fault(module.path, module.place(node), message, severity, edit)


Check = Callable[[Project], Iterator[Fault]]


@dataclass(frozen=True)
class Rule:
    """A kind of fault. Its page is pages/<code>.md, with a wrong and a right example."""

    code: str
    severity: Severity
    sentence: str
    check: Callable[..., Iterator[Fault]]  # of what it looks at: a project, a database, an app

    @property
    def name(self) -> str:
        """As in "commit-after-response"."""
        return self.check.__name__.replace("_", "-")

    @cached_property
    def page(self) -> str:
        return (PAGES / f"{self.code}.md").read_text()

    def example(self, heading: str) -> dict[str, str]:
        """The files under "Wrong" or "Right"; each begins with a comment that names it."""
        part = self.page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        files = {}
        for text in _EXAMPLE.findall(part):
            name = re.match(r"# ([\w./]+)\n", text)
            files[name[1] if name else "main.py"] = text
        return files


def rule(code: str, severity: Severity, sentence: str) -> Callable[[Check], Rule]:
    """Make a rule of a function, whose name is the rule's."""

    def make(check: Check) -> Rule:
        return Rule(code, severity, sentence, check)

    return make
