"""What a collector of OpenTelemetry gets of requests, and what nobody can do by it."""

import asyncio
import contextlib
import gzip
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from gateway.observe import logs, traces
from tests.integration.in_process import application, asking, started
from tests.integration.origins import origin
from tests.ports import free_port

ASSET = "/v1/play/film/one.m3u8"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """A receiver of OTLP over HTTP that keeps the spans that it decodes."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.url = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Decode one request."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for found in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(found.resource)
            self.spans += [span for scope in found.scope_spans for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that listens on the loopback."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self)
            body = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def environ_of(url: str, share: float) -> dict[str, str]:
    """A config that exports traces there."""
    return {"GATEWAY_OTLP__TRACES_ENDPOINT": url, "GATEWAY_OTLP__TRACES_SHARE": str(share)}


def attributes_of(span: Any) -> dict[str, Any]:
    """The attributes of a span."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def test_a_request_and_its_steps(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One span for the request with its attributes, and one for each step, one after the other
    within it; nothing of what the player sent. Its line in the access log has the trace id."""
    caplog.set_level(logging.INFO, "gateway.access")
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(logs, "write_access", lines.append)
    environ = environ_of(collector.url, 1.0) | {"GATEWAY_ACCESS_LOG__ENABLED": "true"}
    async with started(None, environ) as client:
        secret = "c2VjcmV0"
        headers = {"X-Forwarded-For": "129.240.2.6", "X-Request-ID": "asked-1"}
        await client.get(f"{ASSET}?token={secret}&speed=4000", headers=headers)
        await client.get(f"/nothing/{secret}")
    [request] = [span for span in collector.spans if span.name == "GET /v1/play/{asset}"]
    [line] = [each for each in lines if each["request_id"] == "asked-1"]
    assert request.trace_id.hex() == line["trace_id"]
    found = attributes_of(request)
    assert {
        "http.request.method": "GET",
        "http.route": "/v1/play/{asset}",
        "http.response.status_code": 200,
        "gateway.request_id": "asked-1",
        "gateway.profile": "wifi",
        "gateway.edge": "eu-west-1",
    }.items() <= found.items()
    steps = [span for span in collector.spans if span.parent_span_id == request.span_id]
    assert ["facts", "source", "decide", "write"] == [
        span.name for span in steps if span.name != "store"
    ]
    times = [
        request.start_time_unix_nano,
        *(at for span in steps for at in (span.start_time_unix_nano, span.end_time_unix_nano)),
        request.end_time_unix_nano,
    ]
    assert sorted(times) == times
    assert abs(time.time_ns() - request.start_time_unix_nano) < 60e9
    [other] = [span for span in collector.spans if span.name == "GET"]
    assert 404 == attributes_of(other)["http.response.status_code"]
    everything = str(collector.spans) + str(collector.resources)
    assert secret not in everything
    assert "129.240" not in everything
    assert "streaming-gateway" in str(collector.resources[0])


GOOD = f"00-{TRACE}-{PARENT}-01"
HOSTILE = [
    "",
    "x" * 55,
    "é" * 55,
    GOOD.upper(),
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"{GOOD}-{'x' * 4000}",
    f"{GOOD}\x1b",
]


async def test_a_parent_decides_for_its_request(collector: Collector) -> None:
    """A sampled one has it traced and an unsampled one does not, whatever the share is; the trace
    goes on. From elsewhere than a trusted proxy it counts for nothing, and neither does garbage."""
    app = application(None, environ_of(collector.url, 1e-9))
    async with app.lifespan(app):
        async with asking(app) as proxy:
            assert 200 == (await proxy.get(ASSET, headers={"traceparent": GOOD})).status_code
            await proxy.get(ASSET, headers={"traceparent": f"{GOOD[:-1]}0"})
            for text in HOSTILE:
                sent = [(b"traceparent", text.encode("latin-1"))]
                assert 200 == (await proxy.get(ASSET, headers=sent)).status_code
            both = [(b"traceparent", GOOD.encode())] * 2
            await proxy.get(ASSET, headers=both)
        async with asking(app, "203.0.113.7") as stranger:
            await stranger.get(ASSET, headers={"traceparent": GOOD})
    [request] = [span for span in collector.spans if span.name == "GET /v1/play/{asset}"]
    assert (TRACE, PARENT) == (request.trace_id.hex(), request.parent_span_id.hex())


async def test_origins_are_told_of_the_trace(collector: Collector) -> None:
    """That of the request for which they are asked, sampled or not; without traces, of none."""
    async with origin() as it:
        environ = {
            "GATEWAY_SOURCE__KIND": "origin",
            "GATEWAY_SOURCE__URL": it.url,
            "GATEWAY_EDGES": '[{id = "e", url = "https://e.example/", fallback = true}]',
        }
        async with started(None, environ) as client:
            await client.get("/v1/play/none.m3u8", headers={"traceparent": GOOD})
        app = application(None, environ | environ_of(collector.url, 1.0))
        async with app.lifespan(app), asking(app) as proxy:
            await proxy.get("/v1/play/own.m3u8")
            await proxy.get("/v1/play/theirs.m3u8", headers={"traceparent": f"{GOOD[:-1]}0"})
    told = {seen.target.split("/")[1]: seen.headers.get("traceparent") for seen in it.seen}
    [request] = [span for span in collector.spans if span.name == "GET /v1/play/{asset}"]
    assert f"00-{request.trace_id.hex()}-{request.span_id.hex()}-01" == told["own"]
    assert re.fullmatch(f"00-{TRACE}-(?!{PARENT})[0-9a-f]{{16}}-00", told["theirs"] or "")
    assert None is told["none"]


async def test_a_dead_collector_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are answered, more spans than may wait are lost, and the end does not wait long."""
    monkeypatch.setattr(traces, "TIMEOUT_S", 1)
    url = f"http://127.0.0.1:{free_port()}/v1/traces"
    app = application(None, environ_of(url, 1.0) | {"GATEWAY_RATE__MANIFESTS_PER_S": "0"})
    context = app.lifespan(app)
    await context.__aenter__()
    async with asking(app) as client:
        for _ in range(200):
            assert 200 == (await client.get(ASSET)).status_code
    start = time.monotonic()
    await context.__aexit__(None, None, None)
    assert time.monotonic() - start < 5
    # A thread that still tries would use the random numbers of other tests.
    for thread in threading.enumerate():
        if thread.name == "traces":
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive()


async def test_nothing_is_imported_when_off() -> None:
    """Without an endpoint there is no tracer."""
    with contextlib.suppress(KeyError):
        del sys.modules["gateway.observe.traces"]
    app = application()
    async with app.lifespan(app), asking(app) as client:
        await client.get(ASSET, headers={"traceparent": GOOD})
    assert app.gateway.tracer is None
    assert "gateway.observe.traces" not in sys.modules
