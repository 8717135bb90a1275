"""A diagnosis for people, for programs (JSON, SARIF 2.1.0) and for GitHub's annotations."""

import json
from collections import Counter
from collections.abc import Callable, Iterator

from plumbline.doctor.diagnosis import Diagnosis
from plumbline.doctor.finding import Finding, Severity
from plumbline.doctor.registry import Rule

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.HAZARD: "warning"}  # all others are errors
Write = Callable[[Diagnosis, tuple[Rule, ...]], str]


def write_text(found: Diagnosis, rules: tuple[Rule, ...]) -> str:
    """Each finding with its line, and the fault marked in it; then how many there are."""
    sentences = {rule.code: rule.sentence for rule in rules}
    parts = [_shown(found, each, sentences[each.code]) for each in found.findings]
    return "\n".join([*parts, *_summary(found)])


def _shown(found: Diagnosis, finding: Finding, sentence: str) -> str:
    if not finding.is_in_a_file:
        return (
            f"{finding.path}: {finding.code} {finding.severity.words}: {sentence}\n"
            f"         {finding.message}\n"
        )
    place, line = finding.place, found.line(finding)
    text = line.lstrip()
    cut = len(line) - len(text)
    end = place.end_column if place.end_line == place.line else len(line)
    marks = "^" * max(1, min(end, len(line)) - place.column)
    number = f"{place.line:>6}"
    return (
        f"{finding.path}:{place.line}:{place.column + 1}: {finding.code}"
        f" {finding.severity.words}: {sentence}\n"
        f"{number} | {text}\n"
        f"{'':>6} | {' ' * max(0, place.column - cut)}{marks}\n"
        f"         {finding.message}\n"
    )


def _summary(found: Diagnosis) -> Iterator[str]:
    for reason, paths in _by_reason(found).items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield f"not read: {paths[0]}{more} ({reason})"
    if found.known:
        yield f"{found.known} findings are in the baseline"
    counts = Counter(each.severity for each in found.findings)
    if not counts:
        yield f"nothing found in {found.looked_at}"
        return
    said = ", ".join(f"{counts[each]} {each.words}" for each in sorted(counts, reverse=True))
    yield f"{len(found.findings)} findings in {found.looked_at}: {said}"
    yield f"why, and what to write instead: plumbline doctor --explain {found.findings[0].code}"


def _by_reason(found: Diagnosis) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for each in found.unread:
        reasons.setdefault(each.reason, []).append(each.path)
    return reasons


def write_json(found: Diagnosis, rules: tuple[Rule, ...]) -> str:
    """An object with `findings`, `unread`, `files` and `known`; lines and columns from 1."""
    names = {rule.code: rule.name for rule in rules}
    findings = [
        {
            "code": each.code,
            "name": names[each.code],
            "severity": each.severity.option,
            **_located(each),
            "message": each.message,
            "fixable": each.edit is not None,
        }
        for each in found.findings
    ]
    unread = [{"path": each.path, "reason": each.reason} for each in found.unread]
    whole = {"findings": findings, "unread": unread, "files": found.files, "known": found.known}
    return json.dumps(whole, indent=2)


def _located(finding: Finding) -> dict[str, object]:
    """Its lines, or the object that has none."""
    if not finding.is_in_a_file:
        return {"object": finding.path}
    place = finding.place
    return {
        "path": finding.path,
        "line": place.line,
        "column": place.column + 1,
        "end_line": place.end_line,
        "end_column": place.end_column + 1,
    }


def write_sarif(found: Diagnosis, rules: tuple[Rule, ...]) -> str:
    """For code scanning; each rule with its page."""
    tool = {
        "name": "plumbline doctor",
        "rules": [
            {
                "id": rule.code,
                "name": rule.name,
                "shortDescription": {"text": rule.sentence},
                "help": {"text": rule.page, "markdown": rule.page},
                "defaultConfiguration": {"level": _LEVELS.get(rule.severity, "error")},
            }
            for rule in rules
        ],
    }
    results = [_result(each, mark) for each, mark in zip(found.findings, found.marks, strict=True)]
    run = {"tool": {"driver": tool}, "results": results, "columnKind": "unicodeCodePoints"}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(each: Finding, mark: str) -> dict[str, object]:
    return {
        "ruleId": each.code,
        "level": _LEVELS.get(each.severity, "error"),
        "message": {"text": each.message if each.is_in_a_file else f"{each.path}: {each.message}"},
        "locations": [_location(each)],
        "partialFingerprints": {"plumbline/v1": mark},
    }


def _location(each: Finding) -> dict[str, object]:
    if not each.is_in_a_file:
        return {"logicalLocations": [{"fullyQualifiedName": each.path}]}
    region = {
        "startLine": each.place.line,
        "startColumn": each.place.column + 1,
        "endLine": each.place.end_line,
        "endColumn": each.place.end_column + 1,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": each.path}, "region": region}}


def write_github(found: Diagnosis, rules: tuple[Rule, ...]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    sentences = {rule.code: rule.sentence for rule in rules}
    return "\n".join(_command(each, sentences[each.code]) for each in found.findings)


def _command(each: Finding, sentence: str) -> str:
    title = f"title={_property(f'{each.code} {sentence}')}"
    kind = _LEVELS.get(each.severity, "error")
    if not each.is_in_a_file:
        return f"::{kind} {title}::{_data(f'{each.path}: {each.message}')}"
    place = f"line={each.place.line},col={each.place.column + 1}"
    return f"::{kind} file={_property(each.path)},{place},{title}::{_data(each.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Write] = {
    "text": write_text,
    "json": write_json,
    "sarif": write_sarif,
    "github": write_github,
}
