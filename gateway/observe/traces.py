"""Requests as traces of OpenTelemetry, and their way to a collector.

A span begins with its request, so that origins can be told of it; those of its steps are made when
it has ended, from times that are taken anyway. The SDK decides which traces are sampled, and a
thread of it exports them. It is an extra of the package, and this module is imported only where
``otlp.traces_endpoint`` is set.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, TraceFlags, set_span_in_context
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

    def begin(self, method: str, start: float, traceparent: str | None) -> Span:
        """The span of a request that began at ``start`` (``time.perf_counter``).

        ``traceparent`` is that of a caller who may decide on sampling (W3C Trace Context); what is
        not of its form is ignored.
        """
        parent = Context()
        if traceparent is not None:
            parent = self._propagator.extract({"traceparent": traceparent}, parent)
        return self._tracer.start_span(
            method,
            parent,
            SpanKind.SERVER,
            start_time=time.time_ns() - int((time.perf_counter() - start) * 1e9),
            record_exception=False,
        )

    def end(
        self,
        span: Span,
        start: float,
        name: str,
        status: int,
        attributes: Mapping[str, str | int],
        stages: Stages | None,
    ) -> str | None:
        """End the span of a request that began at ``start`` and ends now. Returns its trace id if
        it is sampled. Never waits."""
        context = span.get_span_context()
        if not isinstance(span, ReadableSpan) or not context.trace_flags.sampled:
            return None
        end = time.perf_counter()
        zero_ns = (span.start_time or 0) - int(start * 1e9)
        span.update_name(name)
        span.set_attributes(attributes)
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

    @staticmethod
    def traceparent(span: Span) -> str:
        """What tells others of a span (W3C Trace Context, 3.2), also of one that is not sampled.
        The SDK's propagator would also write the flag of Level 2, which origins may not know."""
        context = span.get_span_context()
        flags = context.trace_flags & TraceFlags.SAMPLED
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"

    def stop(self) -> threading.Thread:
        """Export what waits, in a thread that nobody has to wait for."""
        thread = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        thread.start()
        return thread
