"""Which traces are kept, by spans whose times are given."""

from itertools import count

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from plumbline import trace_sampling
from plumbline.trace_sampling import LEFT_OUT, KeepByOutcome, RecordAll

SECOND = 1_000_000_000
SLOW_SECONDS = 2


class Traces:
    """What is kept of those spans, by name, in the order in which they began."""

    def __init__(self, ratio: float) -> None:
        self.exporter = InMemorySpanExporter()
        self.keep = KeepByOutcome(SimpleSpanProcessor(self.exporter), slow_seconds=SLOW_SECONDS)
        provider = TracerProvider(sampler=RecordAll(ratio))
        provider.add_span_processor(self.keep)
        self.tracer = provider.get_tracer("test")
        self.times = count(1)

    def begin(self, name: str, under: Span | None = None, kind: str = "SERVER") -> Span:
        """Each a nanosecond after the one before, at the beginning of time."""
        within = Context() if under is None else trace.set_span_in_context(under, Context())
        return self.tracer.start_span(name, within, SpanKind[kind], start_time=next(self.times))

    @property
    def kept(self) -> list[str]:
        return [span.name for span in self.exporter.get_finished_spans()]


def _end(span: Span, at: int = 1) -> None:
    span.end(at * SECOND)


@pytest.fixture
def traces() -> Traces:
    return Traces(ratio=0)


@pytest.mark.parametrize(
    ("ends_at", "fails", "kept"),
    [
        (1, False, []),
        (2, False, []),
        (3, False, ["request", "statement"]),
        (1, True, ["request", "statement"]),
    ],
)
def test_request_is_kept_with_all_of_it_when_it_was_slow_or_failed(
    traces: Traces, ends_at: int, kept: list[str], *, fails: bool
) -> None:
    request = traces.begin("request")
    _end(traces.begin("statement", request, "CLIENT"))
    if fails:
        request.set_status(trace.StatusCode.ERROR)
    _end(request, ends_at)

    assert traces.kept == kept


def test_statement_that_is_slow_or_fails_decides_nothing(traces: Traces) -> None:
    request = traces.begin("request")
    statement = traces.begin("statement", request, "CLIENT")
    statement.set_status(trace.StatusCode.ERROR)
    _end(statement, 100)
    _end(request)

    assert traces.kept == []


@pytest.mark.parametrize("ends_first", ["request", "act"])
def test_what_outlives_its_request_decides_too(traces: Traces, ends_first: str) -> None:
    request = traces.begin("request")
    act = traces.begin("act", request, "INTERNAL")
    act.set_status(trace.StatusCode.ERROR)
    first, last = (request, act) if ends_first == "request" else (act, request)
    _end(first)
    before = traces.kept
    _end(last)

    assert (before, traces.kept) == ([], ["request", "act"])


def test_open_websocket_is_not_slow(traces: Traces) -> None:
    socket = traces.begin("socket")
    socket.set_attribute("network.protocol.name", "websocket")
    _end(socket, 1_000)

    assert traces.kept == []


@pytest.mark.parametrize(("ratio", "kept"), [(0, 0), (1, 10)])
def test_share_of_the_usual_ones_is_kept(ratio: float, kept: int) -> None:
    traces = Traces(ratio)
    for _ in range(10):
        _end(traces.begin("request"))

    assert len(traces.kept) == kept


@pytest.mark.parametrize("ratio", [0, 1])
@pytest.mark.parametrize("is_sampled", [True, False])
def test_trace_of_somebody_else_goes_on_as_they_say(ratio: float, *, is_sampled: bool) -> None:
    traces = Traces(ratio)
    flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
    theirs = NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=flags))
    request = traces.begin("request", theirs)
    _end(request)

    assert traces.kept == ["request"] * is_sampled
    assert request.get_span_context().trace_id == 7
    assert request.get_span_context().trace_flags.sampled == is_sampled


def test_two_requests_of_one_trace_are_decided_each_by_itself(traces: Traces) -> None:
    theirs = NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(0)))
    fast, slow = traces.begin("fast", theirs), traces.begin("slow", theirs)
    _end(fast)
    _end(slow, 3)

    assert traces.kept == ["slow"]


def test_spans_that_are_kept_at_once_are_bounded(
    traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_sampling, "SPANS_AT_ONCE", 3)
    requests = [traces.begin(f"request {n}") for n in range(2)]
    spans = [traces.begin("statement", requests[0], "CLIENT") for _ in range(5)]
    for each in spans:
        _end(each)
    for each in requests:
        _end(each, 3)

    assert traces.kept == ["request 0", "statement", "request 1"]
    [left_out, *_] = [
        (s.attributes or {}).get(LEFT_OUT) for s in traces.exporter.get_finished_spans()
    ]
    assert left_out == 4


def test_socket_that_is_open_for_long_leaves_room_for_requests(
    traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it did long ago goes first."""
    monkeypatch.setattr(trace_sampling, "SPANS_AT_ONCE", 3)
    socket = traces.begin("socket")
    for _ in range(3):
        _end(traces.begin("message", socket, "CLIENT"))
    request = traces.begin("request")
    _end(traces.begin("statement", request, "CLIENT"))
    _end(request, 3)
    socket.set_status(trace.StatusCode.ERROR)
    _end(socket)

    assert traces.kept == ["request", "statement", "socket"]
    assert (traces.exporter.get_finished_spans()[-1].attributes or {})[LEFT_OUT] == 3
    assert (traces.keep._open, traces.keep._held) == ({}, 0)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({}, []),
        ({"http.response.status_code": 200}, []),  # in the middle of its answer
        ({"http.response.status_code": 503}, ["request"]),  # of another service
    ],
)
def test_client_that_hangs_up_is_no_failure(
    traces: Traces, told: dict[str, int], kept: list[str]
) -> None:
    request = traces.begin("request")
    request.set_attributes({"error.type": "ConnectionError", **told})
    request.set_status(trace.StatusCode.ERROR)
    _end(request)

    assert traces.kept == kept


def test_nothing_is_left_of_what_has_ended(traces: Traces) -> None:
    for ends_at in (1, 3):
        request = traces.begin("request")
        _end(traces.begin("statement", request, "CLIENT"))
        _end(request, ends_at)

    assert (traces.keep._open, traces.keep._held) == ({}, 0)
