"""Spans within a trace, where somebody makes traces (docs/telemetry.md); else nothing.

Only under a span that records: what the service does for itself begins no trace, and a request that
is not recorded pays nothing for its statements.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider


def is_on() -> bool:
    """Whether this process has a TracerProvider: the program's own, or that of TRACES."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def is_recording() -> bool:
    """Whether there is a span that others can be under."""
    return trace.get_current_span().is_recording()


def begin(
    name: str,
    attributes: Mapping[str, str | int] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Span | None:
    """A span under the current one, for `within`; None where that one does not record."""
    if not is_recording():
        return None
    tracer = _tracer(trace.get_tracer_provider())
    return tracer.start_span(name, kind=kind, attributes=attributes)


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """What begins in the block is under this span, which ends with it: in error, if it raises."""
    if span is None:
        yield
        return
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except BaseException as error:
            fail(span, error)
            raise


def fail(span: Span, error: BaseException) -> None:
    """Say of which type the error is; its message may quote what is somebody's."""
    span.set_attribute("error.type", _name(type(error)))
    span.set_status(StatusCode.ERROR)


def note_attempt(error: BaseException) -> None:
    """In the span of the request: it runs again, because of this."""
    event = {"error.type": _name(type(error))}
    trace.get_current_span().add_event("the request runs again", event)


def _name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@lru_cache(maxsize=1)
def _tracer(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("plumbline")
