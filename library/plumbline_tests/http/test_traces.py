"""One trace: the request, its statements, and what runs after its commit (traced.py asks)."""

import json
from typing import Any

import pytest

from plumbline.trace_sampling import LEFT_OUT, SPANS_OF_A_REQUEST
from plumbline_tests.processes import python
from plumbline_tests.traced import SECRET, TRACE_ID

Span = dict[str, Any]
Asked = dict[str, Any]
BEGUN, COMMITTED, ROLLED_BACK = "BEGIN", "COMMIT", "ROLLBACK"


@pytest.fixture(scope="module")
def asked(main_database: str) -> Asked:
    ended = python("-m", "plumbline_tests.traced", DATABASE_URL=main_database)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return dict(json.loads(ended.stdout))


def _spans(asked: Asked, name: str) -> list[Span]:
    return list(asked[name]["spans"])


def _under(spans: list[Span], parent: Span) -> list[str]:
    """Statements that SQLAlchemy has never sent before on that connection are prepared first."""
    names = [span["name"] for span in spans if span["parent"] == parent["id"]]
    return [name for name in names if not name.startswith("PREPARE")]


def test_statements_of_session_and_driver_are_under_the_request(asked: Asked) -> None:
    spans = _spans(asked, "sampled")
    request = spans[0]
    work = ["INSERT notes", "INSERT notes", "SELECT notes", "INSERT notes", "SELECT notes"]

    assert (request["name"], request["kind"]) == ("POST /odd/write", "SERVER")
    assert _under(spans, request) == [BEGUN, *work, COMMITTED, "after the commit"]
    assert {span["trace"] for span in spans} == {TRACE_ID}
    assert {span["kind"] for span in spans if span["name"] in work} == {"CLIENT"}
    assert [span["name"] for span in _spans(asked, "read")] == ["GET /books", "SELECT books"]


def test_what_runs_after_the_commit_is_in_the_trace_with_its_statements(asked: Asked) -> None:
    spans = _spans(asked, "sampled")
    [after] = [span for span in spans if span["name"] == "after the commit"]
    [act] = [span for span in spans if span["parent"] == after["id"]]

    assert act["name"] == "tell"
    assert _under(spans, act) == ["SELECT notes", BEGUN, "INSERT notes", COMMITTED]


def test_usual_request_that_is_not_sampled_leaves_nothing(asked: Asked) -> None:
    for name in ("usual", "not sampled", "usual conflict"):
        assert _spans(asked, name) == []


def test_request_that_fails_keeps_its_trace_and_its_rollback(asked: Asked) -> None:
    spans = _spans(asked, "failed")

    assert [span["name"] for span in spans][:1] == ["POST /odd/fail"]
    assert spans[0]["status"] == "ERROR"
    assert _under(spans, spans[0]) == [BEGUN, "INSERT notes", ROLLED_BACK]
    assert {span["status"] for span in spans[1:]} == {"UNSET"}


def test_act_that_fails_keeps_the_trace_of_a_request_that_succeeded(asked: Asked) -> None:
    statuses = {span["name"]: span["status"] for span in _spans(asked, "act")}

    assert statuses["POST /odd/act"] == "UNSET"
    assert [name for name in statuses if statuses[name] == "ERROR"] == [
        "fail_after_the_commit.<locals>.act"
    ]


@pytest.mark.parametrize(
    ("name", "statement", "sqlstate", "status", "ends"),
    [
        ("conflict", "INSERT authors", "23505", "UNSET", ROLLED_BACK),
        ("savepoint", "INSERT authors", "23505", "UNSET", COMMITTED),
        ("race", "DO", "40001", "UNSET", COMMITTED),
        ("wrong", "PREPARE nowhere", "42P01", "ERROR", ROLLED_BACK),
    ],
)
def test_statement_that_fails_is_marked_and_the_request_by_its_answer(
    asked: Asked, name: str, statement: str, sqlstate: str, status: str, ends: str
) -> None:
    spans = _spans(asked, name)
    [failed] = [span for span in spans[1:] if span["status"] == "ERROR"]
    ended = [each for each in _under(spans, spans[0]) if each in {COMMITTED, ROLLED_BACK}]

    assert failed["name"] == statement
    assert failed["attributes"]["db.response.status_code"] == sqlstate
    assert failed["attributes"]["error.type"].startswith("asyncpg.exceptions.")
    assert (spans[0]["status"], ended[-1]) == (status, ends)


def test_request_that_runs_again_is_one_span_with_both_attempts(asked: Asked) -> None:
    spans = _spans(asked, "race")
    work = [name for name in _under(spans, spans[0]) if not name.startswith("SET")]

    [[event, told]] = spans[0]["events"]
    assert (event, told["error.type"]) == ("the request runs again", "sqlalchemy.exc.DBAPIError")
    again = [BEGUN, "INSERT notes", COMMITTED]
    assert work == [BEGUN, "INSERT notes", "DO", ROLLED_BACK, *again]


def test_statement_whose_rows_are_streamed_has_a_span(asked: Asked) -> None:
    spans = _spans(asked, "stream")

    assert _under(spans, spans[0]) == [BEGUN, "SELECT notes", COMMITTED]


def test_no_value_is_in_any_span(asked: Asked) -> None:
    ids = {"trace", "id", "parent"}  # in which any digits may be
    spans = [span for each in asked.values() if isinstance(each, dict) for span in each["spans"]]
    told = json.dumps([{n: v for n, v in span.items() if n not in ids} for span in spans])
    [query] = [s["attributes"]["url.query"] for s in _spans(asked, "sampled")[:1]]

    assert SECRET not in told
    assert SECRET.partition("-")[2] not in told
    assert query == "q=(withheld)&page=(withheld)"
    texts = [span["attributes"].get("db.query.text") for span in _spans(asked, "sampled")]
    assert "SELECT ? FROM notes WHERE text = ? AND id < ?" in texts


def test_requests_at_the_same_time_have_each_their_own_spans(asked: Asked) -> None:
    spans = _spans(asked, "together")
    requests = [span for span in spans if span["kind"] == "SERVER"]

    assert len(requests) == 10
    for request in requests:
        assert _under(spans, request).count(COMMITTED) == 1
        assert _under(spans, request)[-1] == "after the commit"


def test_trace_is_bounded_and_says_what_it_left_out(asked: Asked) -> None:
    spans = _spans(asked, "loop")

    assert len(spans) == SPANS_OF_A_REQUEST + 1
    assert spans[0]["attributes"][LEFT_OUT] > 0
    assert asked["left"] == 0


def test_probe_has_no_span(asked: Asked) -> None:
    assert _spans(asked, "probe") == []
