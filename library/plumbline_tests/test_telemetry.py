"""Traces, and log lines with their ids, where there are an SDK and an exporter."""

import asyncio
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from plumbline import trace_export
from plumbline_tests.faults.fixtures import FreePort
from plumbline_tests.faults.test_stopping import serving, until_started
from plumbline_tests.faults.wire import Wire
from plumbline_tests.processes import python

NOWHERE = {"DATABASE_URL": "postgresql://postgres:postgres@127.0.0.1:1/app"}
REQUESTS = 20
PROBES = ("/livez", "/readyz", "/metrics")
IN_MEMORY = """
import asyncio, json, sys
from plumbline_tests.sandbox.service import app
assert "opentelemetry.sdk" not in sys.modules, "not imported where nobody asks for it"

import httpx2
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

@app.get("/defect")
async def defect(): raise RuntimeError

async def ask():
    transport = httpx2.ASGITransport(app)
    address = "http://test"
    async with httpx2.AsyncClient(transport=transport, base_url=address) as client:
        for method, path in [line.split() for line in sys.argv[1].splitlines()]:
            await client.request(method, path)

asyncio.run(ask())
for span in spans.get_finished_spans():
    trace_id = trace.format_trace_id(span.context.trace_id)
    status = span.attributes.get("http.response.status_code")
    print(json.dumps([span.name, status, span.status.status_code.name, trace_id]))
"""


def _traced(*requests: str) -> tuple[list[Any], list[Any]]:
    """Of these requests: [span, status, outcome, trace] of each span, and all lines of the log."""
    ended = python("-c", IN_MEMORY, "\n".join(requests), ENVIRONMENT="production", **NOWHERE)
    assert ended.returncode == 0, ended.stderr[-3000:]
    spans, lines = ended.stdout.splitlines(), ended.stderr.splitlines()
    return [json.loads(line) for line in spans], [json.loads(line) for line in lines]


def test_each_request_is_one_span_that_only_a_5xx_marks_as_an_error() -> None:
    spans, lines = _traced(
        "GET /nothing",
        "POST /books",
        "GET /books?limit=x",
        "PUT /books",
        "GET /books",  # the database is away
        "GET /defect",
        *(f"GET {probe}" for probe in PROBES),
    )

    assert [span[:3] for span in spans] == [
        ["GET", 404, "UNSET"],
        ["POST /books", 401, "UNSET"],
        ["GET /books", 422, "UNSET"],
        ["PUT /books", 405, "UNSET"],
        ["GET /books", 503, "ERROR"],
        ["GET /defect", 500, "ERROR"],
    ]
    ours = [
        line for line in lines if line["logger"].startswith("plumbline.") and "request_id" in line
    ]
    probes = {line["request_id"] for line in ours if line.get("path") in PROBES}
    told = [line.get("trace_id") for line in ours if line["request_id"] not in probes]
    assert len(told) >= len(spans) + 2  # also the lines about what went wrong
    assert set(told) == {span[3] for span in spans}


CONSOLE = """
import asyncio
import httpx2
from fastapi import routing
from benchmarks.asgi import running
from plumbline_tests.sandbox.service import app

solved, solve = [], routing.solve_dependencies

async def solve_and_count(**given):
    solved.append(given)
    return await solve(**given)

async def ask():
    routing.solve_dependencies = solve_and_count
    transport = httpx2.ASGITransport(app)
    async with running(app), httpx2.AsyncClient(transport=transport, base_url="http://a") as client:
        await client.get("/books?limit=3")
        await client.get("/books/4711")

asyncio.run(ask())
print(len(solved))
"""
LINE = re.compile(r"trace ([0-9a-f]{32}) +\d+\.\d ms {2}(.*)")


def test_one_variable_prints_traces_of_compiled_routes(main_database: str) -> None:
    """FastAPI's own handler, which solves dependencies each time, is not needed for them."""
    variables = {"TRACES": "console", "TRACES_RATIO": "1", "DATABASE_URL": main_database}
    ended = python("-c", CONSOLE, **variables)
    told = LINE.findall(ended.stderr)

    assert (ended.returncode, ended.stdout) == (0, "0\n"), ended.stderr[-3000:]
    requests = [name for _, name in told if name.startswith("GET")]
    assert requests == ["GET /books 200", "GET /books/{book_id} 404"]
    assert told[-1] == (told[-2][0], "  SELECT books")


SDK_MISSING = f"import sys; sys.modules['opentelemetry.sdk.trace'] = None\n{CONSOLE}"
SECOND_PROVIDER = """
import asyncio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from plumbline.telemetry_settings import TelemetrySettings
from plumbline.trace_export import traces

trace.set_tracer_provider(TracerProvider())

async def start():
    async with traces(TelemetrySettings(), "Sandbox"):
        raise AssertionError

asyncio.run(start())
"""


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (SDK_MISSING, "TRACES=console needs the SDK: pip install 'plumbline-fastapi[telemetry]'"),
        (
            SECOND_PROVIDER,
            "TRACES: this process has a TracerProvider already, of the program or by",
        ),
    ],
    ids=["no SDK", "second provider"],
)
def test_traces_that_cannot_be_made_stop_the_start(program: str, says: str) -> None:
    ended = python("-c", program, TRACES="console", **NOWHERE)

    assert ended.returncode == 1
    assert f"RuntimeError: {says}" in ended.stderr.splitlines()[-1]


@contextmanager
def _collector(port: int) -> Iterator[SimpleQueue[str]]:
    """The names of the spans that arrive by OTLP."""
    names: SimpleQueue[str] = SimpleQueue()

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        names.put(span.name)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: it is not what the test is about."""

    with http.server.HTTPServer(("127.0.0.1", port), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield names
        server.shutdown()
        thread.join()


class Hanging(SpanExporter):
    """To a collector that takes what is sent, and says nothing."""

    def __init__(self) -> None:
        self.sending, self.over = threading.Event(), threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        assert spans
        self.sending.set()
        self.over.wait(100)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.over.set()


def test_collector_that_hangs_does_not_keep_a_process_from_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK waits for half a minute; then Kubernetes has killed what had not ended."""
    monkeypatch.setattr(trace_export, "LAST_SECONDS", 0.05)
    exporter, provider = Hanging(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1))
    provider.get_tracer("test").start_span("request").end()
    assert exporter.sending.wait(60)
    began = monotonic()
    trace_export._end(provider, exporter)

    assert exporter.over.is_set()
    assert monotonic() - began < 20
    assert "the collector did not take the last traces in time" in caplog.text


@pytest.mark.torture
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "variables", [{"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}, {"TRACES": "otlp", "TRACES_RATIO": "1"}]
)
async def test_two_variables_send_the_spans_of_each_worker_to_a_collector(
    free_port: FreePort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    """Those of the last second when it stops."""
    port, log, collecting = free_port(), tmp_path / "log", free_port()
    endpoint = f"http://127.0.0.1:{collecting}"
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    for name, value in (variables | own).items():
        monkeypatch.setenv(name, value)
    with (
        _collector(collecting) as names,
        serving(port, log, "--workers=2", module="plumbline_tests.sandbox") as service,
    ):
        await until_started(log, 2)
        for _ in range(REQUESTS):  # connections, of which either worker gets some
            with closing(Wire(port)) as wire:
                await wire.get("/docs")
        service.terminate()

        told = [await asyncio.to_thread(names.get, timeout=60) for _ in range(REQUESTS)]
        assert told == ["GET /docs"] * REQUESTS
