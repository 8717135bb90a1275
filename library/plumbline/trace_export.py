"""Where traces go. Imported where TRACES is set, as it needs the SDK."""

import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from anyio.to_thread import run_sync
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)

from plumbline import tracing
from plumbline.logging import withhold_headers
from plumbline.telemetry_settings import TelemetrySettings
from plumbline.trace_sampling import KeepByOutcome, RecordAll

LAST_SECONDS = 3.0  # for what is left at the end: longest_stop_seconds has five for all such things

log = structlog.stdlib.get_logger(__name__)


@asynccontextmanager
async def traces(settings: TelemetrySettings, service: str) -> AsyncIterator[None]:
    """While a process serves: what it keeps goes to where TRACES says, the last of it at the end.

    RuntimeError where the program, or FASTAPI_OTEL_AUTO_CONFIGURE, has set a TracerProvider: there
    can be one in a process.
    """
    if tracing.is_on():
        raise RuntimeError(
            "TRACES: this process has a TracerProvider already, of the program or by "
            "FASTAPI_OTEL_AUTO_CONFIGURE; leave out one of them"
        )
    provider = TracerProvider(
        sampler=RecordAll(settings.TRACES_RATIO),
        resource=_resource(service, settings.BUILD_REVISION),
        shutdown_on_exit=False,
    )
    is_console = settings.TRACES == "console"
    exporter = _printer() if is_console else OTLPSpanExporter()
    export = SimpleSpanProcessor(exporter) if is_console else BatchSpanProcessor(exporter)
    keep = KeepByOutcome(export, slow_seconds=settings.TRACES_SLOW_SECONDS)
    provider.add_span_processor(keep)
    withhold_headers()
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        await run_sync(_end, provider, exporter)


def _end(provider: TracerProvider, exporter: SpanExporter) -> None:
    """Send what is left; what a collector that hangs has not taken in time is lost.

    The SDK would wait for half a minute. Its thread ends with the process.
    """
    ending = threading.Thread(target=provider.shutdown, daemon=True)
    ending.start()
    ending.join(LAST_SECONDS)
    if ending.is_alive():
        log.warning("the collector did not take the last traces in time")
        exporter.shutdown()  # tries nothing again


def _resource(service: str, revision: str) -> Resource:
    """The variables of OpenTelemetry win."""
    named = {SERVICE_NAME: service} if "OTEL_SERVICE_NAME" not in os.environ else {}
    return Resource.create(named | ({SERVICE_VERSION: revision} if revision else {}))


def _printer() -> SpanExporter:
    return ConsoleSpanExporter(out=sys.stderr, formatter=_line)


def _line(span: ReadableSpan) -> str:
    """One for each span, in the order in which they began; what a request did is indented."""
    assert span.context is not None
    took = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    told = span.attributes or {}
    status = told.get("http.response.status_code") or told.get("error.type") or ""
    indent = "  " if span.parent is not None and not span.parent.is_remote else ""
    trace_id = trace.format_trace_id(span.context.trace_id)
    return f"trace {trace_id} {took:9.1f} ms  {indent}{span.name} {status}".rstrip() + "\n"
