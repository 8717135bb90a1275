"""Which traces are kept: those of requests that failed or were slow, and a share of the others.

Whether a request was slow, or failed, is known at its end. So each is recorded (`RecordAll`), and
when the last span has ended that it began here, all of them are exported or none (`KeepByOutcome`).
The SDK is needed: these are for a TracerProvider.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from urllib.parse import parse_qsl, urlencode

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
)
from opentelemetry.util.types import Attributes

SPANS_OF_A_REQUEST = 500  # that are kept until it ends
SPANS_AT_ONCE = 20_000  # that are kept, and again as many that are open: some 20 MB each
WITHHELD = "(withheld)"
LEFT_OUT = "plumbline.spans_left_out"  # among the attributes of a request's span: how many


class RecordAll(Sampler):
    """Records each span; others are told that a trace is sampled only for `ratio` of them.

    A trace that somebody else has begun goes on as they say.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._chosen = TraceIdRatioBased(ratio)

    def should_sample(  # the SDK's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,  # noqa: ARG002
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Never DROP."""
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid:
            is_sampled, trace_state = parent.trace_flags.sampled, parent.trace_state
        else:
            chosen = self._chosen.should_sample(parent_context, trace_id, name)
            is_sampled = chosen.decision is Decision.RECORD_AND_SAMPLE
        decision = Decision.RECORD_AND_SAMPLE if is_sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, trace_state)

    def get_description(self) -> str:
        """As the SDK's samplers have one."""
        return f"RecordAll{{{self._ratio}}}"


@dataclass(slots=True)
class _Request:
    """What began here with a span that has no parent in this process, and all under it."""

    is_kept: bool
    open: int = 0
    left_out: int = 0
    spans: list[ReadableSpan] = field(default_factory=list)


class KeepByOutcome(SpanProcessor):
    """Hands the spans of a request on to `export`, once the last of them has ended.

    Of a request that failed or took `slow_seconds`, and of those that are sampled. What runs after
    its commit, or in a task that it began, belongs to it. A websocket is never slow, and a client
    that hangs up is no failure.
    """

    def __init__(self, export: SpanProcessor, *, slow_seconds: float) -> None:
        self._export = export
        self._slow_ns = int(slow_seconds * 1e9)
        self._open: dict[int, _Request] = {}  # by the ids of spans
        self._held = 0
        self._lock = Lock()  # spans may end in threads

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        """Find the request that it belongs to, or begin one."""
        parent, own = span.parent, span.get_span_context()
        if span.kind is SpanKind.SERVER:
            _withhold_query(span)
        with self._lock:
            request = None if parent is None else self._open.get(parent.span_id)
            if request is None:
                request = _Request(is_kept=own.trace_flags.sampled)
            if len(self._open) >= SPANS_AT_ONCE:
                request.left_out += 1
                return
            request.open += 1
            self._open[own.span_id] = request

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it for the time being; decide with the last."""
        assert span.context is not None
        with self._lock:
            request = self._open.pop(span.context.span_id, None)
            if request is None:
                return
            request.open -= 1
            request.is_kept |= self._is_telling(span)
            if len(request.spans) >= SPANS_OF_A_REQUEST and not _is_first(span):
                request.left_out += 1
            else:
                if self._held >= SPANS_AT_ONCE:
                    self._forget_oldest()
                request.spans.append(span)
                self._held += 1
            if request.open:
                return
            self._held -= len(request.spans)
        if request.is_kept:
            for each in sorted(request.spans, key=lambda span: span.start_time or 0):
                self._export.on_end(_as_sampled(each, request.left_out if _is_first(each) else 0))

    def shutdown(self) -> None:
        """Of what has not ended nothing is exported."""
        self._export.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was decided."""
        return self._export.force_flush(timeout_millis)

    def _forget_oldest(self) -> None:
        """What has ended of the request that is open for longest: a websocket, or a stream.

        Otherwise some that are open for days would leave no room for any other.
        """
        oldest = next((each for each in self._open.values() if each.spans), None)
        if oldest is not None:
            self._held -= len(oldest.spans)
            oldest.left_out += len(oldest.spans)
            oldest.spans.clear()

    def _is_telling(self, span: ReadableSpan) -> bool:
        """A statement alone decides nothing: that it failed may be expected."""
        if span.kind is SpanKind.CLIENT:
            return False
        took, told = (span.end_time or 0) - (span.start_time or 0), span.attributes or {}
        is_slow = took >= self._slow_ns and told.get("network.protocol.name") != "websocket"
        return is_slow or (span.status.status_code is StatusCode.ERROR and not _hung_up(told))


def _hung_up(told: Mapping[str, object]) -> bool:
    """Whether all that failed is that the client went, for which FastAPI has no word but this."""
    status = told.get("http.response.status_code", 0)
    is_defect = isinstance(status, int) and status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return told.get("error.type") == "ConnectionError" and not is_defect


def _is_first(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote


def _withhold_query(span: Span) -> None:
    """The names stay; values may be what people search for, or secret. The log has neither."""
    if query := (span.attributes or {}).get("url.query"):
        names = [name for name, _ in parse_qsl(str(query), keep_blank_values=True)]
        span.set_attribute("url.query", urlencode(dict.fromkeys(names, WITHHELD), safe="()"))


def _as_sampled(span: ReadableSpan, left_out: int) -> ReadableSpan:
    """As exporters take it: the decision came after its context was made."""
    own = span.context
    assert own is not None
    flags = TraceFlags(own.trace_flags | TraceFlags.SAMPLED)
    attributes = {**(span.attributes or {})}
    if left_out:
        attributes[LEFT_OUT] = left_out
    return ReadableSpan(
        name=span.name,
        context=SpanContext(own.trace_id, own.span_id, own.is_remote, flags, own.trace_state),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
