"""The metrics of ``/metrics`` in the data model of OpenTelemetry, and their way to a collector.

The registry of :mod:`gateway.observe.metrics` is the only source: nothing is counted twice. The
OpenTelemetry SDK writes and sends what is converted here (OTLP over HTTP, protobuf). It is an extra
of the package, and this module is imported only where ``otlp.endpoint`` is set.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

MAX_ANSWER_BYTES: Final = 64 * 1024
"""The most of a receiver's answer that is read."""

_NS: Final = 1_000_000_000
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE


def metrics_data(
    families: Iterable[Family], resource: Mapping[str, str], started_s: float, now_s: float
) -> MetricsData:
    """The families as they were at ``now_s``, counted since ``started_s`` (seconds since 1970).

    Counters are monotonic sums under their names without ``_total``, and histograms keep their
    buckets. A summary, which has no quantiles here, is two sums, ``_count`` and ``_sum``.
    """
    times = int(started_s * _NS), int(now_s * _NS)
    found = [metric for family in families for metric in _converted(family, *times)]
    scope = ScopeMetrics(InstrumentationScope("gateway"), found, "")
    return MetricsData([ResourceMetrics(Resource(dict(resource)), [scope], "")])


def _converted(family: Family, started_ns: int, now_ns: int) -> Iterator[Metric]:
    by_name: dict[str, list[Sample]] = {}
    for sample in family.samples:
        by_name.setdefault(sample.name, []).append(sample)
    name, text = family.name, family.documentation

    def points(samples: Sequence[Sample]) -> list[NumberDataPoint]:
        return [
            NumberDataPoint(sample.labels, started_ns, now_ns, float(sample.value))
            for sample in samples
        ]

    if family.type == "histogram":
        histograms = [*_histograms(name, by_name, started_ns, now_ns)]
        yield Metric(name, text, "", Histogram(histograms, _CUMULATIVE))
    elif family.type == "counter":
        counted = by_name.get(f"{name}_total", [])
        yield Metric(name, text, "", Sum(points(counted), _CUMULATIVE, is_monotonic=True))
    elif family.type == "summary":
        for part in ("count", "sum"):
            summed = points(by_name.get(f"{name}_{part}", []))
            yield Metric(f"{name}_{part}", text, "", Sum(summed, _CUMULATIVE, is_monotonic=True))
    else:
        yield Metric(name, text, "", Gauge(points(by_name.get(name, []))))


def _histograms(
    name: str, by_name: Mapping[str, Sequence[Sample]], started_ns: int, now_ns: int
) -> Iterator[HistogramDataPoint]:
    """One for each set of labels. Prometheus adds up the counts of its buckets, OTLP does not."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, int]]] = {}
    for sample in by_name.get(f"{name}_bucket", []):
        labels = {key: value for key, value in sample.labels.items() if key != "le"}
        bucket = float(sample.labels["le"]), int(sample.value)
        buckets.setdefault(tuple(sorted(labels.items())), []).append(bucket)
    sums = {
        tuple(sorted(sample.labels.items())): sample.value
        for sample in by_name.get(f"{name}_sum", [])
    }
    for key, found in buckets.items():
        found.sort()
        below = [0, *(count for _, count in found)]
        unknown: Any = None  # the least and the greatest value; optional in OTLP
        yield HistogramDataPoint(
            dict(key),
            started_ns,
            now_ns,
            found[-1][1],
            sums.get(key, 0.0),
            [count - before for before, count in pairwise(below)],
            [bound for bound, _ in found[:-1]],
            unknown,
            unknown,
        )


class BoundedSession(requests.Session):
    """Reads little of an answer, and follows no redirect."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send a request and read the start of its answer. Raises TooManyRedirects for any."""
        kwargs |= {"stream": True, "allow_redirects": False}
        response = super().send(request, **kwargs)
        try:
            response._content = response.raw.read(MAX_ANSWER_BYTES)
        finally:
            response.close()
        if response.is_redirect:  # for the SDK, it would be a success
            raise requests.TooManyRedirects(response=response)
        return response


class OtlpExporter:
    """Sends metrics to one collector."""

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        """``endpoint`` is the URL that takes metrics. ``timeout_s`` bounds an export, with its
        repetitions. Headers, certificates and compression are those of the environment
        (``OTEL_EXPORTER_OTLP_HEADERS`` and its like)."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the caller logs changes
        self._exporter = OTLPMetricExporter(endpoint, timeout=timeout_s, session=BoundedSession())

    def export(self, data: MetricsData) -> bool:
        """Whether the collector took them. Blocks; never raises."""
        try:
            return self._exporter.export(data) is MetricExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - whatever a receiver answers
            return False
