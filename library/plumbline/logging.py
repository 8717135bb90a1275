"""One log format for this service and its libraries, with the request id in every line.

Where traces are made, a line within a span has the ids of its trace too (docs/telemetry.md).
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from plumbline.context import caller_request_id, request_id

_LINE = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
# These warn of each entry of `baggage` and `tracestate` that they cannot read, and quote it: by one
# header a caller wrote thousands of lines, of whatever they like.
_QUOTE_HEADERS = (
    "opentelemetry.baggage.propagation",
    "opentelemetry.trace.span",
    "opentelemetry.trace.propagation.tracecontext",
)
REQUESTS = "plumbline.request"  # the logger of the line that each request leaves
_requests = structlog.stdlib.get_logger(REQUESTS)


def configure_logging(*, production: bool) -> None:
    """Send every record, also those of uvicorn, SQLAlchemy and Alembic, to standard error.

    In `production` each line is a JSON object.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared_processors(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderer(production=production),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # seven lines a start
    # The middleware logs each request, with its id and duration. uvicorn writes such a line as well
    # where its logger has a handler, its own or one above: it would be made, and thrown away.
    logging.getLogger("uvicorn.access").propagate = False
    withhold_headers()
    if production:
        _write_directly()
    else:
        _directly.config = None
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *_shared_processors(),
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )


def withhold_headers() -> None:
    """Let OpenTelemetry read the headers of callers, and not repeat in the log what is in them."""
    for name in _QUOTE_HEADERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _write_directly() -> None:
    """Our own lines, without a detour by `logging`: a third of the cost, for each request."""
    structlog.configure(
        processors=[
            *_shared_processors(),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    _directly.config = _config()
    _directly.file = sys.stderr.buffer


class _Directly:
    """How `_write_directly` has set it up, and where to."""

    config: dict[str, Any] | None = None
    file: BinaryIO


_directly = _Directly()


def _config() -> dict[str, Any]:
    """Of structlog, now; it may change the list of its processors in place."""
    config = structlog.get_config()
    return {**config, "processors": [*config["processors"]]}


def log_request(**fields: object) -> None:
    """The line that each request leaves, as `log.info("request", …)` of the logger REQUESTS.

    In production, unless structlog was set up in another way: what its processors would make of
    it, written by one function. Each line is written at once, so that none is lost in a crash.
    """
    if _directly.config is None or structlog.get_config() != _directly.config:
        _requests.info("request", **fields)
        return
    event: EventDict = {**fields, "event": "request", "level": "info", "logger": REQUESTS}
    event["timestamp"] = datetime.now(UTC)
    line = _add_trace(None, "info", _add_request_ids(None, "info", event))
    _directly.file.write(orjson.dumps(line, option=_LINE))
    _directly.file.flush()


def _shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_ids,
        _add_trace,
    ]


def _renderer(*, production: bool) -> list[Processor]:
    if production:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    full = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)

    def render(logger: WrappedLogger, method: str, event: EventDict) -> str:
        if event.get("logger") == REQUESTS and event["event"] == "request":
            return _short(event)
        return full(logger, method, event)

    return [render]


def _short(event: EventDict) -> str:
    """`POST /api/v1/users 201 237 ms`: a developer looks for what is unusual, and that is full."""
    path = event["path"] if event["path"].isprintable() else ascii(event["path"])
    return f"{event['method']} {path} {event['status']} {event['ms']:.0f} ms"


def _add_request_ids(_logger: WrappedLogger | None, _method: str, event: EventDict) -> EventDict:
    if (current := request_id.get()) is not None:
        event["request_id"] = current
    if (given := caller_request_id.get()) is not None:
        event["caller_request_id"] = given
    return event


def _add_trace(_logger: WrappedLogger | None, _method: str, event: EventDict) -> EventDict:
    """Under the names of OpenTelemetry, so that logs and traces join up."""
    if "opentelemetry.sdk.trace" not in sys.modules:  # without it there is no span
        return event
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event
