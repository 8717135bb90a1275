"""What the doctor is shown besides files: a database (`--live`), an application (`--run`)."""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import ArgumentError

from plumbline.db.url import psycopg_url
from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import Diagnosis, diagnose
from plumbline.doctor.live import examination as live
from plumbline.doctor.live.database import Unreachable
from plumbline.doctor.live.rules import LIVE_RULES
from plumbline.doctor.registry import Rule
from plumbline.doctor.rules import RULES
from plumbline.doctor.run import examination as run
from plumbline.doctor.run.child import NotRun, describe, find_python
from plumbline.doctor.run.rules import RUN_RULES
from plumbline.errors import OperatorError

Live = Annotated[
    str | None,
    typer.Option(help="Look at a database instead, by its URL or the variable that has it."),
]
Models = Annotated[
    str | None, typer.Option(help="With --live: compare its tables, as in app.models:Base.")
]
Run = Annotated[str | None, typer.Option(help="Import an application instead, as in app.main:app.")]
Python = Annotated[
    str | None,
    typer.Option(help="Interpreter for --run and --models (that of .venv, if there is one)."),
]
TimeLimit = Annotated[
    float | None, typer.Option(help="Seconds for --live (30) or --run (60).", min=1)
]


@dataclass(frozen=True)
class Shown:
    """What a command names besides a folder; with nothing of it the files are looked at."""

    live: str | None = None
    models: str | None = None
    run: str | None = None
    python: str | None = None
    seconds: float | None = None


def look(
    root: Path,
    shown: Shown,
    configuration: Configuration,
    known: Counter[str] | None,
    on_progress: Callable[[str], None],
) -> tuple[Diagnosis, tuple[Rule, ...]]:
    """Look at the files, at a database or at an application; and the rules that did."""
    if shown.live is not None and shown.run is not None:
        raise OperatorError("--live and --run are two looks: take one of them")
    if shown.models is not None and shown.live is None:
        raise OperatorError("--models are compared with a database: name it by --live")
    try:
        if shown.live is not None:
            return _database(root, shown, configuration, known, on_progress)
        if shown.run is not None:
            return _application(root, shown, configuration, known, on_progress)
    except Unreachable as error:
        raise OperatorError(str(error)) from None
    except NotRun as error:
        line, _, trace = str(error).partition("\n")
        print(trace, file=sys.stderr, end="\n" if trace else "")
        raise OperatorError(line) from None
    return diagnose(root, RULES, configuration, known, on_progress), RULES


def _database(
    root: Path,
    shown: Shown,
    configuration: Configuration,
    known: Counter[str] | None,
    on_progress: Callable[[str], None],
) -> tuple[Diagnosis, tuple[Rule, ...]]:
    assert shown.live is not None
    limit, models = shown.seconds or live.SECONDS, None
    conninfo = _conninfo(shown.live)
    if shown.models is not None:
        python = find_python(root, shown.python)
        models = describe(root, shown.models, python, run.SECONDS, "models")["tables"]
    found = live.examine(
        conninfo, configuration, known, models=models, seconds=limit, on_progress=on_progress
    )
    return found, LIVE_RULES


def _application(
    root: Path,
    shown: Shown,
    configuration: Configuration,
    known: Counter[str] | None,
    on_progress: Callable[[str], None],
) -> tuple[Diagnosis, tuple[Rule, ...]]:
    assert shown.run is not None
    on_progress(f"importing {shown.run}")
    limit = shown.seconds or run.SECONDS
    found = run.examine(root, shown.run, configuration, known, python=shown.python, seconds=limit)
    return found, RUN_RULES


def _conninfo(given: str) -> str:
    """A URL, the variable that has one, or `service=shop`, as libpq has it."""
    if re.fullmatch(r"[A-Za-z_]\w*", given):
        if given not in os.environ:
            raise OperatorError(
                f"--live takes a URL, or the name of a variable that has it: {given} is not set"
            )
        given = os.environ[given]
    return libpq_url(given) if "://" in given else given


def libpq_url(url: str) -> str:
    """As libpq takes it, whichever driver the URL names; OperatorError where it is none."""
    try:
        read = psycopg_url(re.sub(r"^postgres(?=://|\+)", "postgresql", url))
    except (ArgumentError, ValueError):
        raise OperatorError("--live takes a URL such as postgresql://user@host/database") from None
    return read.set(drivername="postgresql").render_as_string(hide_password=False)
