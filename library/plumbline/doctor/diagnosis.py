"""A run of the rules over a folder."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from plumbline.doctor.configuration import Configuration, fingerprint, has_noqa
from plumbline.doctor.finding import Finding
from plumbline.doctor.project import Project
from plumbline.doctor.registry import Fault, Rule
from plumbline.doctor.source import Unread, lines_of


@dataclass(frozen=True)
class Diagnosis:
    """The findings by place; `known` is how many the baseline has let pass."""

    root: Path
    findings: list[Finding]
    files: int
    unread: list[Unread]
    known: int = 0
    _lines: dict[str, list[str]] = field(default_factory=dict, repr=False)
    subject: str = ""

    @property
    def looked_at(self) -> str:
        """What has been looked at, as in "12 Python files"."""
        return self.subject or f"{self.files} Python files"

    def line(self, finding: Finding) -> str:
        """The line of the file that a finding is about; empty where it is about an object."""
        if not finding.is_in_a_file:
            return ""
        lines = _lines(self.root, finding.path, self._lines)
        return lines[finding.place.line - 1] if finding.place.line <= len(lines) else ""

    @cached_property
    def marks(self) -> list[str]:
        """What a baseline keeps of the findings."""
        return [fingerprint(each, self.line(each)) for each in self.findings]


def diagnose(
    root: Path,
    rules: tuple[Rule, ...],
    configuration: Configuration,
    baseline: Counter[str] | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Find the faults of all Python below `root`, without importing or running any of it."""
    project = Project(root, configuration.exclude)
    found: list[tuple[Rule, Fault]] = []
    with _without_collection():
        _read(project, on_progress)
        for each in rules:
            on_progress(each.code)
            found += [(each, fault) for fault in each.check(project)]
        whole = Diagnosis(root, [], len(project.by_name), project.unread)
        return conclude(whole, found, configuration, baseline)


def conclude(
    whole: Diagnosis,
    found: list[tuple[Rule, Fault]],
    configuration: Configuration,
    baseline: Counter[str] | None,
) -> Diagnosis:
    """`whole` with what was found, without what is let pass."""
    findings = {_finding(rule, fault) for rule, fault in found}
    left = [
        finding
        for finding in sorted(findings, key=lambda each: (each.path, each.place.line, each.code))
        if not configuration.lets_pass(finding) and not _is_let_pass(whole, finding)
    ]
    whole = replace(whole, findings=left)
    return whole if baseline is None else _without_known(whole, baseline)


def _read(project: Project, on_progress: Callable[[str], None]) -> None:
    """Parse what requests run, which takes longer than all rules."""
    total = len(project.served)
    for number, module in enumerate(project.served, start=1):
        on_progress(f"reading {number} of {total} files")
        module.read()


def _finding(rule: Rule, fault: Fault) -> Finding:
    severity = rule.severity if fault.severity is None else fault.severity
    return Finding(rule.code, severity, fault.path, fault.place, fault.message, fault.edit)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Trees are millions of objects, none of them garbage before the end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _lines(root: Path, path: str, memory: dict[str, list[str]]) -> list[str]:
    """The lines of a file, read once."""
    if path not in memory:
        memory[path] = lines_of((root / path).read_bytes())
    return memory[path]


def _is_let_pass(whole: Diagnosis, finding: Finding) -> bool:
    """By a noqa in its first or last line."""
    if not finding.is_in_a_file:
        return False
    lines = _lines(whole.root, finding.path, whole._lines)  # noqa: SLF001
    numbers = {finding.place.line, finding.place.end_line}
    return any(has_noqa(lines[each - 1], finding.code) for each in numbers if each <= len(lines))


def _without_known(whole: Diagnosis, baseline: Counter[str]) -> Diagnosis:
    waiting = Counter(baseline)
    left = []
    for finding, mark in zip(whole.findings, whole.marks, strict=True):
        if waiting[mark] > 0:
            waiting[mark] -= 1
        else:
            left.append(finding)
    known = len(whole.findings) - len(left)
    return replace(whole, findings=left, known=known)
