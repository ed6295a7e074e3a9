"""Requests as traces of OpenTelemetry, and their way to a collector.

A span is made when its request has ended, from times that are taken anyway. The SDK decides which
traces are sampled, and a thread of it exports them. It is an extra of the package, and this module
is imported only where ``otlp.traces_endpoint`` is set.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode

from gateway.observe.otlp import BoundedSession

MAX_WAITING_SPANS: Final = 4096
"""Of each worker. Spans that end while as many wait for the collector are lost."""
BATCH: Final = 512
DELAY_MS: Final = 2000
TIMEOUT_S: Final = 10
SERVER_ERROR: Final = 500

Stages = tuple[float, Sequence[tuple[str, float]]]
"""When the steps of a request began, and when each of them ended (``time.perf_counter``)."""


class RequestTracer:
    """The traces of one worker."""

    def __init__(self, endpoint: str, share: float, resource: Mapping[str, str]) -> None:
        """``endpoint`` is the URL that takes traces, and ``share`` that of the requests without a
        parent that are sampled. Headers and certificates are those of the environment."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter(endpoint, timeout=TIMEOUT_S, session=BoundedSession())
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource(dict(resource)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=MAX_WAITING_SPANS,
                schedule_delay_millis=DELAY_MS,
                max_export_batch_size=BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("gateway")
        self._propagator = TraceContextTextMapPropagator()

    def record(
        self,
        name: str,
        start: float,
        status: int,
        attributes: Mapping[str, str | int],
        stages: Stages | None,
        traceparent: str | None,
    ) -> str | None:
        """Record a request that began at ``start`` (``time.perf_counter``) and ends now. Returns
        its trace id if it is sampled.

        ``traceparent`` is that of a caller who may decide on sampling (W3C Trace Context); what is
        not of its form is ignored. Never waits.
        """
        end = time.perf_counter()
        zero_ns = time.time_ns() - int(end * 1e9)
        parent = Context()
        if traceparent is not None:
            parent = self._propagator.extract({"traceparent": traceparent}, parent)
        span = self._tracer.start_span(
            name,
            parent,
            SpanKind.SERVER,
            attributes,
            start_time=zero_ns + int(start * 1e9),
            record_exception=False,
        )
        context = span.get_span_context()
        if not span.is_recording() or not context.trace_flags.sampled:
            return None
        if status >= SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        if stages is not None:
            before, inside = stages[0], set_span_in_context(span, Context())
            for stage, at in stages[1]:
                child = self._tracer.start_span(
                    stage, inside, start_time=zero_ns + int(before * 1e9)
                )
                child.end(zero_ns + int(at * 1e9))
                before = at
        span.end(zero_ns + int(end * 1e9))
        return f"{context.trace_id:032x}"

    def stop(self) -> threading.Thread:
        """Export what waits, in a thread that nobody has to wait for."""
        thread = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        thread.start()
        return thread
