"""What the doctor is shown besides files: `--live` a database."""

import os
import re
from collections import Counter
from collections.abc import Callable

from sqlalchemy.exc import ArgumentError

from plumbline.db.url import psycopg_url
from plumbline.doctor.configuration import Configuration
from plumbline.doctor.diagnosis import Diagnosis
from plumbline.doctor.live.database import Unreachable
from plumbline.doctor.live.examination import SECONDS, examine
from plumbline.errors import OperatorError


def examine_database(
    given: str,
    configuration: Configuration,
    known: Counter[str] | None,
    seconds: float | None,
    on_progress: Callable[[str], None],
) -> Diagnosis:
    """Look at the database of a URL, or of the environment variable that has it."""
    conninfo, limit = _conninfo(given), seconds or SECONDS
    try:
        return examine(conninfo, configuration, known, seconds=limit, on_progress=on_progress)
    except Unreachable as error:
        raise OperatorError(str(error)) from None


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
