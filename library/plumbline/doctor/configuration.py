"""What a project lets pass: `[tool.plumbline.doctor]`, `# noqa`, and a baseline."""

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from plumbline.doctor.finding import Finding, Severity
from plumbline.doctor.registry import Rule

_NOQA = re.compile(r"#\s*noqa(?P<codes>:[\s,A-Z0-9]+)?", re.IGNORECASE)
_TEXT, _TEXTS, _TABLE = "a text", "a list of texts", "a table of lists of texts"
_KEYS = {
    "exclude": _TEXTS,
    "ignore": _TEXTS,
    "per-file-ignores": _TABLE,
    "baseline": _TEXT,
    "fail-on": _TEXT,
}


class WrongConfiguration(Exception):
    """What is wrong with it, in one line."""


@dataclass(frozen=True)
class Configuration:
    """Of `[tool.plumbline.doctor]` in the pyproject.toml of the folder that is looked at."""

    exclude: tuple[str, ...] = ()
    ignore: frozenset[str] = frozenset()
    per_file_ignores: dict[str, list[str]] = field(default_factory=dict)
    baseline: str | None = None
    fail_on: Severity = Severity.INSECURE

    def lets_pass(self, finding: Finding) -> bool:
        """Whether its code is ignored, everywhere or in its file."""
        return finding.code in self.ignore or any(
            finding.code in codes and Path(finding.path).match(pattern)
            for pattern, codes in self.per_file_ignores.items()
        )


def read_configuration(root: Path, rules: tuple[Rule, ...]) -> Configuration:
    """The folder's own, or the defaults; WrongConfiguration if it cannot be taken as it is."""
    file = root / "pyproject.toml"
    try:
        tools = tomllib.loads(file.read_text()).get("tool", {}) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongConfiguration(f"pyproject.toml: {error}") from None
    given: dict[str, Any] = tools.get("plumbline", {}).get("doctor", {})
    _check_kinds(given)
    per_file: dict[str, list[str]] = given.get("per-file-ignores", {})
    named = {*given.get("ignore", []), *(code for codes in per_file.values() for code in codes)}
    wrong = sorted(named - {rule.code for rule in rules})
    if wrong:
        raise WrongConfiguration(f"[tool.plumbline.doctor] ignores {wrong[0]}, which is no rule")
    return Configuration(
        exclude=tuple(given.get("exclude", ())),
        ignore=frozenset(given.get("ignore", ())),
        per_file_ignores=per_file,
        baseline=given.get("baseline"),
        fail_on=read_severity(given.get("fail-on", Severity.INSECURE.option)),
    )


def _check_kinds(given: dict[str, Any]) -> None:
    for name, value in sorted(given.items()):
        if name not in _KEYS:
            raise WrongConfiguration(
                f"[tool.plumbline.doctor] has no {name}: it takes {', '.join(sorted(_KEYS))}"
            )
        if _KEYS[name] not in _kinds(value):
            raise WrongConfiguration(f"[tool.plumbline.doctor] {name} must be {_KEYS[name]}")


def _kinds(value: object) -> set[str]:
    """What it may stand for, of what the keys take."""
    match value:
        case str():
            return {_TEXT}
        case list() if all(isinstance(each, str) for each in value):
            return {_TEXTS}
        case dict() if all(_TEXTS in _kinds(each) for each in value.values()):
            return {_TABLE}
    return set()


def read_severity(text: str) -> Severity:
    """As it is typed: "loses-data"."""
    for each in Severity:
        if each.option == text:
            return each
    options = ", ".join(each.option for each in Severity)
    raise WrongConfiguration(f"{text!r} is no severity: take one of {options}")


def has_noqa(line: str, code: str) -> bool:
    """`# noqa: PL001`, also among other codes; `# noqa` alone lets everything pass."""
    found = _NOQA.search(line)
    return found is not None and (
        found["codes"] is None or code in re.split(r"[\s,:]+", found["codes"].upper())
    )


def fingerprint(finding: Finding, line: str) -> str:
    """The same while the line stays what it is, wherever it moves in its file."""
    text = f"{finding.code}\n{finding.path}\n{line.strip()}"
    return sha256(text.encode()).hexdigest()[:16]


def write_baseline(file: Path, marks: list[str]) -> None:
    """How often each finding is there today."""
    file.write_text(json.dumps(dict(sorted(Counter(marks).items())), indent=1) + "\n")


def read_baseline(file: Path) -> Counter[str]:
    """The findings that are let pass, each as often as it is counted."""
    try:
        return Counter(json.loads(file.read_text()))
    except OSError as error:
        raise WrongConfiguration(f"the baseline {file.name}: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise WrongConfiguration(f"the baseline {file.name} is none: {error}") from None
