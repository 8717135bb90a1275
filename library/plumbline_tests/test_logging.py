"""What a developer sees of a request."""

import json

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
