"""A run of the rules over an application."""

from collections import Counter
from pathlib import Path

from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import Diagnosis, conclude
from plumbline.doctor.run.application import Application
from plumbline.doctor.run.child import describe, find_python
from plumbline.doctor.run.rules import RUN_RULES

SECONDS = 60.0


def examine(
    root: Path,
    target: str,
    configuration: Configuration,
    baseline: Counter[str] | None = None,
    *,
    python: str | None = None,
    seconds: float = SECONDS,
) -> Diagnosis:
    """Import `target` in a process of its own, and find its faults; NotRun where that fails."""
    facts = describe(root, target, find_python(root, python), seconds)
    app = Application(root, facts)
    found = [(rule, fault) for rule in RUN_RULES for fault in rule.check(app)]
    own = sum(bool(each["file"]) for each in app.all("routes"))  # not those of the documentation
    subject = f"{target} with {own} routes"
    return conclude(Diagnosis(root, [], 0, [], subject=subject), found, configuration, baseline)
