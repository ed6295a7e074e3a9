"""What a collector of OpenTelemetry gets, and what it cannot do to the gateway."""

import asyncio
import contextlib
import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from gateway.background.otlp import OtlpExport
from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.config.telemetry_settings import OtlpSettings
from gateway.observe import metrics
from gateway.observe.otlp import OtlpExporter, metrics_data
from tests.integration.in_process import application, asking
from tests.ports import free_port
from tests.unit.store.servers import until

RESOURCE = {"service.name": "streaming-gateway", "service.instance.id": "here:8080"}
Answer = Callable[[BaseHTTPRequestHandler], None]


class Collector:
    """A receiver of OTLP over HTTP that keeps what it decodes. ``answer`` may do anything."""

    def __init__(self) -> None:
        self.received: list[ExportMetricsServiceRequest] = []
        self.types: list[str | None] = []
        self.answer: Answer = taken
        self.url = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Decode one request."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert handler.path == "/v1/metrics"
        self.types.append(handler.headers["Content-Type"])
        self.received.append(ExportMetricsServiceRequest.FromString(body))

    def last(self) -> dict[str, Any]:
        """The metrics of the last request by name."""
        (resource,) = self.received[-1].resource_metrics
        (scope,) = resource.scope_metrics
        return {metric.name: metric for metric in scope.metrics}


def answering(status: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer with these parts."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


taken = answering(200, ExportMetricsServiceResponse().SerializeToString())


def endless(handler: BaseHTTPRequestHandler) -> None:
    """An answer that does not end, as long as somebody reads."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"x" * 65536)


def silent(handler: BaseHTTPRequestHandler) -> None:
    """No answer."""
    time.sleep(3)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that listens on the loopback."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self)
            found.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1/metrics"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


def labels_of(point: Any) -> dict[str, str]:
    """The attributes of a data point."""
    return {one.key: one.value.string_value for one in point.attributes}


def test_each_kind_of_metric(collector: Collector) -> None:
    """Values, labels, buckets and times, as a collector decodes them."""
    registry = CollectorRegistry()
    counter = Counter("gateway_c", "Counted.", ["edge"], registry=registry)
    counter.labels("eu-1").inc(3)
    counter.labels("é").inc(0.5)
    Gauge("gateway_g", "Now.", registry=registry).set(-2.5)
    histogram = Histogram("gateway_h", "Took.", ["r"], buckets=(0.1, 1.0), registry=registry)
    for seconds in (0.05, 0.5, 0.6, 7):
        histogram.labels("play").observe(seconds)
    Summary("gateway_s", "Sum.", registry=registry).observe(4)
    data = metrics_data(registry.collect(), RESOURCE, 100.0, 160.5)
    assert OtlpExporter(collector.url, 5).export(data)
    assert ["application/x-protobuf"] == collector.types
    (resource,) = collector.received[0].resource_metrics
    found = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert found == RESOURCE
    received = collector.last()
    summed = received["gateway_c"].sum
    assert (True, 2) == (summed.is_monotonic, summed.aggregation_temporality)
    assert [({"edge": "eu-1"}, 3.0), ({"edge": "é"}, 0.5)] == [
        (labels_of(point), point.as_double) for point in summed.data_points
    ]
    (first, *_) = summed.data_points
    assert (100 * 10**9, 160_500_000_000) == (first.start_time_unix_nano, first.time_unix_nano)
    assert [-2.5] == [point.as_double for point in received["gateway_g"].gauge.data_points]
    (point,) = received["gateway_h"].histogram.data_points
    assert ({"r": "play"}, 4, 8.15) == (labels_of(point), point.count, round(point.sum, 9))
    assert ([1, 2, 1], [0.1, 1.0]) == ([*point.bucket_counts], [*point.explicit_bounds])
    assert not point.HasField("min")
    assert [1.0] == [point.as_double for point in received["gateway_s_count"].sum.data_points]
    assert [4.0] == [point.as_double for point in received["gateway_s_sum"].sum.data_points]


def test_the_registry_is_the_only_source(collector: Collector) -> None:
    """Each sample of the gateway in ``/metrics`` arrives, with its value, and no other."""
    metrics.requests("cmcd", 204).inc()
    metrics.request_seconds("cmcd").observe(0.003)
    data = metrics_data(metrics.families(), RESOURCE, 0.0, 1.0)
    assert OtlpExporter(collector.url, 5).export(data)
    received = collector.last()
    shown = {
        sample.name: sample.value
        for family in metrics.families()
        for sample in family.samples
        if not sample.labels and family.type in {"counter", "gauge"}
        if not sample.name.startswith("process_")  # they have changed meanwhile
    }
    arrived: dict[str, float] = {}
    for name, metric in received.items():
        points = metric.sum.data_points if metric.HasField("sum") else metric.gauge.data_points
        suffix = "_total" if f"{name}_total" in shown else ""
        arrived |= {f"{name}{suffix}": one.as_double for one in points if not one.attributes}
    assert shown.items() <= arrived.items()
    assert all(name.startswith(("gateway_", "process_")) for name in received)
    assert received["process_cpu_seconds"].sum.is_monotonic
    assert received["process_resident_memory_bytes"].gauge.data_points[0].as_double > 10**6
    assert {family.name for family in metrics.families()} <= {
        name.removesuffix("_sum").removesuffix("_count") for name in received
    }


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        (answering(200, b"garbage"), True),
        (answering(200, b"{}" * 100_000, Content_Type="application/json"), True),
        (answering(400, b"no"), False),
        (answering(404), False),
        (answering(500, b"x" * 10**6), False),
        (answering(503, Retry_After="3600"), False),
        (answering(429, Retry_After="-1"), False),
        (answering(307, Location="http://127.0.0.1:1/elsewhere"), False),
        (endless, True),
        (silent, False),
    ],
)
def test_whatever_a_collector_answers(collector: Collector, answer: Answer, done: bool) -> None:
    """An export ends, without an error, and little is read of an answer."""
    collector.answer = answer
    data = metrics_data(metrics.families(), RESOURCE, 0.0, 1.0)
    assert done == OtlpExporter(collector.url, 1).export(data)
    assert collector.received


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/v1/metrics", "http://nowhere.invalid/x"])
def test_a_collector_that_is_not_there(url: str) -> None:
    data = metrics_data(metrics.families(), RESOURCE, 0.0, 1.0)
    assert not OtlpExporter(url.format(free_port()), 1).export(data)


async def test_exports_go_on_when_the_collector_is_back(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every interval, with the counts of then. What could not be taken is counted."""
    monkeypatch.setattr("gateway.background.otlp.PATIENCE_S", 0.0)
    settings = OtlpSettings(endpoint=collector.url, traces_share=1.0, interval_s=1)
    failed, done = (metrics.OTLP_EXPORTS.labels(name) for name in ("failed", "done"))
    before = failed._value.get(), done._value.get()
    collector.answer = answering(500)
    export = asyncio.ensure_future(OtlpExport(settings, RESOURCE).run())
    await until(lambda: failed._value.get() > before[0])
    collector.answer = taken
    await until(lambda: done._value.get() > before[1])
    points = collector.last()["gateway_otlp_exports"].sum.data_points
    assert any(labels_of(point) == {"outcome": "failed"} for point in points)
    export.cancel()
    await asyncio.gather(export, return_exceptions=True)


async def test_a_gateway_exports_what_it_counts(collector: Collector) -> None:
    """The decisions that it has made, and the reports that it has read."""
    environ = {"GATEWAY_OTLP__ENDPOINT": collector.url, "GATEWAY_OTLP__INTERVAL_S": "1"}
    app = application(environ={"GATEWAY_STORE__URL": "memory", **environ})
    async with app.lifespan(app), asking(app) as client:
        await client.get("/v1/play/film.m3u8?session=a")
        report = b'sid="a",mtp=(5000;v),v=2\n'
        kind = {"Content-Type": "application/cmcd"}
        await client.post("/v1/cmcd", content=report, headers=kind)
        await until(lambda: bool(collector.received) and counted(collector, "gateway_cmcd_reports"))
    assert counted(collector, "gateway_decisions")
    assert counted(collector, "gateway_request_seconds")


def counted(collector: Collector, name: str) -> bool:
    """Whether a collector has a count above 0."""
    metric = collector.last()[name]
    if metric.HasField("histogram"):
        return any(point.count for point in metric.histogram.data_points)
    return any(point.as_double for point in metric.sum.data_points)


async def test_without_an_endpoint_there_is_nothing() -> None:
    """The task ends at once."""
    await OtlpExport(OtlpSettings(traces_share=1.0, interval_s=1), RESOURCE).run()


def test_one_worker_exports_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one when that ends; the counts began with the first."""
    monkeypatch.setattr(metrics, "shared_folder", lambda: str(tmp_path))
    one, other = (
        OtlpExport(OtlpSettings(traces_share=1.0, interval_s=1), RESOURCE) for _ in range(2)
    )
    assert [True, False, True] == [each.exports_for_all() for each in (one, other, one)]
    assert one._lock is not None
    os.close(one._lock)
    assert other.exports_for_all()
    assert one._started_s == other._started_s


def test_the_extra_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem says how to install it."""
    config = tmp_path / "gateway.toml"
    config.write_text('[otlp]\nendpoint = "http://127.0.0.1:4318/v1/metrics"\n')
    assert load(config, {}).settings.otlp.endpoint is not None
    monkeypatch.setattr("gateway.config.check.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r'otlp\.endpoint.*pip install "\.\[otlp\]"'):
        load(config, {})
