"""The command `plumbline doctor`: the faults of a project, a database or an application."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.examining import Live, Models, Python, Run, Shown, TimeLimit, look
from plumbline.doctor.catalogue import ALL_RULES
from plumbline.doctor.configuration import (
    Configuration,
    WrongConfiguration,
    read_baseline,
    read_configuration,
    read_severity,
    write_baseline,
)
from plumbline.doctor.diagnosis import Diagnosis
from plumbline.doctor.fixes import corrected, write_diff
from plumbline.doctor.report import FORMATS
from plumbline.errors import OperatorError


def doctor(  # noqa: PLR0913 - its options
    path: Annotated[Path, typer.Argument(help="Folder of the project.")] = Path(),
    *,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "text",
    fail_on: Annotated[
        str | None,
        typer.Option(help="Least severity that ends with status 1 (insecure); or never."),
    ] = None,
    explain: Annotated[str | None, typer.Option(help="Print the page of a rule.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Let pass what this file counts.")] = None,
    save_baseline: Annotated[
        Path | None, typer.Option(help="Write the findings of today into a baseline.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Correct what can be, safely.")] = False,
    live: Live = None,
    models: Models = None,
    run: Run = None,
    python: Python = None,
    time_limit: TimeLimit = None,
) -> int:
    """Find the faults of FastAPI with SQLAlchemy on PostgreSQL in a project.

    Nothing of the project is imported or run, unless --run asks for it; with --live a database is
    only read. The exit status is 1 if a fault is as severe as
    --fail-on says: hazard, insecure, stops-the-service or loses-data.
    """
    try:
        if explain is not None:
            return _explain(explain)
        _check(path, form)
        configuration = read_configuration(path, ALL_RULES)
        known = _read_known(path, configuration, baseline)
        shown = Shown(live, models, run, python, time_limit)
        with _progress():
            found, rules = look(path, shown, configuration, known, _show_progress)
        if save_baseline is not None:
            write_baseline(save_baseline, found.marks)
            return 0
        if diff or fix:
            return _correct(found, is_written=fix)
        print(FORMATS[form](found, rules))
        return _status(found, configuration, fail_on)
    except WrongConfiguration as error:
        raise OperatorError(str(error)) from None


def _check(path: Path, form: str) -> None:
    if form not in FORMATS:
        raise WrongConfiguration(f"no format {form!r}: take one of {', '.join(FORMATS)}")
    if not path.is_dir():
        raise WrongConfiguration(f"{path} is no folder")


def _explain(code: str) -> int:
    for rule in ALL_RULES:
        if code.upper() == rule.code or code == rule.name:
            print(rule.page)
            return 0
    raise WrongConfiguration(f"no rule {code!r}: there are {', '.join(r.code for r in ALL_RULES)}")


def _read_known(
    root: Path, configuration: Configuration, baseline: Path | None
) -> Counter[str] | None:
    """What is let pass: the baseline that is given, or the project's."""
    kept = root / configuration.baseline if configuration.baseline else None
    file = baseline or kept
    return None if file is None else read_baseline(file)


@contextmanager
def _progress() -> Iterator[None]:
    try:
        yield
    finally:
        _show_progress("")


def _show_progress(code: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{code}", end="", file=sys.stderr, flush=True)


def _correct(found: Diagnosis, *, is_written: bool) -> int:
    for path, before, after in corrected(found.root, found.findings):
        print(write_diff(path, before, after), end="")
        if is_written:
            (found.root / path).write_bytes(after.encode())
    return 0


def _status(found: Diagnosis, configuration: Configuration, fail_on: str | None) -> int:
    if fail_on == "never":
        return 0
    least = configuration.fail_on if fail_on is None else read_severity(fail_on)
    worst = max((each.severity for each in found.findings), default=None)
    return int(worst is not None and worst >= least)
