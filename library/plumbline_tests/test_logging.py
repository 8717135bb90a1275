"""What a developer sees of a request."""

import json
import re

import pytest

from plumbline_tests.processes import python

# The line of a request, a warning of the same logger, and a line of somebody else.
LINES = """
import sys, structlog
from plumbline.logging import configure_logging
configure_logging(production=sys.argv[1] == "production")
log = structlog.stdlib.get_logger("plumbline.request")
fields = {"method": "POST", "route": "/x", "status": 201, "ms": 237.4, "request_id": "1"}
log.info("request", path="/books", **fields)
log.info("request", path="/a\\nfake 200 1 ms", **fields)
log.warning("unusual", why="disk")
structlog.stdlib.get_logger("app.other").info("else", where="here")
"""


def test_request_in_development_is_one_short_line_and_all_else_is_full() -> None:
    ended = python("-c", LINES, "development")

    first, forged, warning, other = ended.stderr.splitlines()
    assert first == "POST /books 201 237 ms"
    assert forged == r"POST '/a\nfake 200 1 ms' 201 237 ms"
    assert "warning" in warning
    assert "why=disk" in warning
    assert "where=here" in other


def test_request_in_production_is_a_whole_record() -> None:
    ended = python("-c", LINES, "production")

    record = json.loads(ended.stderr.splitlines()[0])
    assert {"request_id", "route", "timestamp", "status", "path", "ms"} <= record.keys()


UVICORN = """
import logging, uvicorn
from plumbline.logging import configure_logging
uvicorn.Config(None, access_log=True)
configure_logging(production=True)
print(logging.getLogger("uvicorn.access").hasHandlers(), logging.getLogger("uvicorn").hasHandlers())
"""


def test_uvicorn_makes_no_line_of_a_request() -> None:
    """It asks whether a handler would take the line, and makes it even if nobody writes it."""
    assert python("-c", UVICORN).stdout.split() == ["False", "True"]


HEADERS = """
from opentelemetry import propagate
from plumbline import logging
logging.configure_logging(production=True)
given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
secret = {"traceparent": given, "tracestate": "hunter2=,hunter2"}
for baggage in ("hunter2,hunter2", "\u00e4=hunter2", "a=" + 5_000 * "hunter2", " =hunter2"):
    propagate.extract(secret | {"baggage": baggage})
"""


def test_headers_of_callers_that_mean_nothing_are_not_repeated() -> None:
    """OpenTelemetry would: thousands of lines for one of 8 kB."""
    ended = python("-c", HEADERS)

    assert (ended.returncode, ended.stderr) == (0, "")


# The line of a request by `log_request`, and by the logger itself.
BOTH = """
import os, sys, structlog
from plumbline import context, logging
sys.stderr = os.fdopen(2, "w")  # has a buffer, also where PYTHONUNBUFFERED is set
logging.configure_logging(production=True)
context.request_id.set("7c4f")
context.caller_request_id.set(os.environ.get("THEIRS"))
fields = {"method": "POST", "route": "/x", "path": "/x\u00e4\\n", "status": 201, "ms": 237.4}
structlog.stdlib.get_logger("plumbline.request").info("request", **fields)
logging.log_request(**fields)
os._exit(1)  # nothing is flushed any more
"""


@pytest.mark.parametrize("theirs", [{}, {"THEIRS": "a-b"}])
def test_line_of_a_request_is_what_structlog_would_make_of_it(theirs: dict[str, str]) -> None:
    """And it is there when the process dies in the next moment."""
    ended = python("-c", BOTH, **theirs)

    usual, ours = (json.loads(line) for line in ended.stderr.splitlines())
    assert re.fullmatch(r"20[0-9-]{8}T[0-9:]{8}\.\d{6}Z", ours.pop("timestamp"))
    del usual["timestamp"]
    assert ours == usual


def test_line_of_a_request_goes_through_processors_of_the_service() -> None:
    """Those that somebody sets up after `configure_logging`."""
    own = "structlog.configure(processors=[lambda *event: b'own ' + event[2]['path'].encode()])"
    told = "logging.log_request(path='/x')"

    ended = python("-c", BOTH.partition("fields")[0] + f"{own}\n{told}\n")

    assert ended.stderr == "own /x\n"
