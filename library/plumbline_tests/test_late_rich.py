"""structlog has rich as it always had, only later."""

import gc

import pytest

from plumbline.cli.serving import Config
from plumbline_tests.processes import new_python

BEGIN = """
import io, sys
import plumbline.db
import structlog
def loaded(): return sorted({"rich", "pygments", "attr"} & sys.modules.keys())
try:
    1 / 0
except ZeroDivisionError:
    error = sys.exc_info()
before, drawn = loaded(), io.StringIO()
"""
SERVE = """
import gc
from plumbline.cli.serve import serve
looks = lambda: sum(each["collections"] for each in gc.get_stats())
before = looks()
try:
    serve(None)
except AttributeError:  # it is imported, and has nothing to serve
    print(looks() - before, gc.get_freeze_count() > 50_000)
"""
USES = {
    "a traceback": "structlog.dev.rich_traceback(drawn, error); print('╭' in drawn.getvalue())",
    "local variables": "print(len(structlog.tracebacks.ExceptionDictTransformer()(error)) == 1)",
    "an import": "import rich.console; print(rich.console.Console().width > 0)",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_rich_comes_with_the_first_who_asks_for_it(use: str) -> None:
    ended = new_python("-c", f"{BEGIN}\n{use}; print(before, 'rich' in loaded())")

    assert ended.stdout == "True\n[] True\n", ended.stderr


FAIL = """
import sys
import plumbline.http
import structlog
{setup}
def log_in(password): raise ValueError("refused")
try:
    log_in(sys.argv[1])
except ValueError:
    structlog.stdlib.get_logger("x").exception("unexpected error")
print("rich" in sys.modules)
"""
DRAWN = "structlog.configure(processors=[structlog.dev.ConsoleRenderer()])"


@pytest.mark.parametrize(
    ("setup", "is_drawn"), [("", False), (DRAWN, True)], ids=["as it is", "by the service"]
)
def test_traceback_shows_variables_only_where_the_service_wants_it(
    setup: str, *, is_drawn: bool
) -> None:
    ended = new_python("-c", FAIL.format(setup=setup), "hunter2")

    assert "refused" in ended.stdout, ended.stderr
    assert ("hunter2" in ended.stdout) == is_drawn
    assert ended.stdout.endswith(f"{is_drawn}\n")


def test_collector_rests_while_the_application_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it never looks at what was loaded."""
    seen: list[str] = []
    monkeypatch.setattr("uvicorn.Config.load", lambda _: seen.append(f"{gc.isenabled()}"))
    monkeypatch.setattr("gc.freeze", lambda: seen.append("frozen"))

    Config("nowhere:app").load()

    assert (seen, gc.isenabled()) == (["False", "frozen"], True)


def test_collector_never_looks_while_the_server_is_imported() -> None:
    ended = new_python("-c", SERVE)

    assert ended.stdout == "0 True\n", ended.stderr
