"""What is counted? Every metric and every label value that it may take (``docs/metrics.md``).

Labels come from the config (profiles, edges) or from fixed sets, never from a player, so the number
of series is bounded. Several workers share one set through ``PROMETHEUS_MULTIPROC_DIR``.

What each request counts goes the short way (:mod:`gateway.observe.tally`); not with several
workers, as each is asked for what the others have counted.
"""

import os
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway.observe.tally import Tally, TimeTally, settle

# Else each counter has a second series, of when it was made.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SHARED = "PROMETHEUS_MULTIPROC_DIR" in os.environ
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS = Counter(
    "gateway_requests", "Requests answered, by route and status code.", ["route", "status"]
)
REQUEST_SECONDS = Histogram(
    "gateway_request_seconds", "Seconds from request to answer.", ["route"], buckets=_SECONDS
)
DECISIONS = Counter(
    "gateway_decisions",
    "Decisions used, by profile, device and where they came from (local, hit, miss, off).",
    ["profile", "device", "cache"],
)
EDGES = Counter("gateway_edge_selections", "Manifests that name this edge.", ["edge"])
EDGES_BY_STATE = Gauge(
    "gateway_edges",
    "Edges of the fleet, by state (up, degraded, draining, down).",
    ["state"],
    multiprocess_mode="livemax",
)
PROBES = Counter(
    "gateway_probes",
    "Probes of edges, by how they ended (ok, timeout, refused, dns, tls, broken, redirect, status, "
    "not-media, stale).",
    ["edge", "outcome"],
)
PROBE_SECONDS = Summary("gateway_probe_seconds", "Seconds that probes took.", ["edge"])
EDGE_STATE = Gauge(
    "gateway_edge_state",
    "How probes find the edge: 1 up, 0.5 degraded, 0 down; what the worker says that sees worst.",
    ["edge"],
    multiprocess_mode="livemin",
)
EDGE_CHANGES = Counter(
    "gateway_edge_state_changes",
    "Changes of an edge's state that this gateway's own probes found (up, degraded, down).",
    ["edge", "state"],
)
IS_PROBER = Gauge(
    "gateway_probing_workers",
    "Workers that probe edges: 1, or each of them while there is no Redis.",
    multiprocess_mode="livesum",
)
EDGES_BY_FINDER = Gauge(
    "gateway_edges_found",
    "Edges as they were found, by finder (config, dns, registry).",
    ["finder"],
    multiprocess_mode="livemax",
)
DNS_REFRESHES = Counter(
    "gateway_dns_refreshes",
    "Questions for names of edges, by outcome (ok, empty, timeout, refused, garbage, unreachable).",
    ["outcome"],
)
DNS_UNUSABLE = Counter("gateway_dns_unusable_records", "Records of edges that no URL is made of.")
REGISTRY_GARBAGE = Counter(
    "gateway_registry_garbage", "Registered edges and drains that made no sense, each once."
)
EDGE_LEASED = Gauge(
    "gateway_edge_leased_kbps",
    "Expected bit rates of the sessions placed on an edge that has a capacity, in kbit/s.",
    ["edge"],
    multiprocess_mode="livemax",
)
EDGE_CAPACITY = Gauge(
    "gateway_edge_capacity_kbps",
    "How much may be leased of an edge, in kbit/s.",
    ["edge"],
    multiprocess_mode="livemax",
)
PLACEMENTS = Counter(
    "gateway_placements",
    "Leases taken, by outcome (kept, first, spilled, over).",
    ["outcome"],
)
LEASE_ERRORS = Counter(
    "gateway_lease_errors", "Leases that the store could not be asked for; taken from own shares."
)
PROBLEMS = Counter("gateway_problems", "Problem answers, by their type.", ["problem"])
PLAYLIST_FAULTS = Counter(
    "gateway_playlist_faults", "Faults in source playlists that were served all the same.", ["rule"]
)
SOURCE_ERRORS = Counter("gateway_source_errors", "Source manifests that could not be served.")
ORIGIN_REQUESTS = Counter(
    "gateway_origin_requests",
    "Requests to origins, by outcome (the status, or why there was no answer that can be used).",
    ["origin", "outcome"],
)
ORIGIN_SECONDS = Histogram(
    "gateway_origin_request_seconds",
    "Seconds per request to an origin.",
    ["origin"],
    buckets=(*_SECONDS, 5.0, 10.0),
)
ORIGIN_RETRIES = Counter("gateway_origin_retries", "Requests to origins that were made again.")
ORIGIN_BREAKER = Gauge(
    "gateway_origin_breaker_open",
    "1 while an origin is not asked because it fails, 0.5 while it is tried.",
    ["origin"],
    multiprocess_mode="livemax",
)
ORIGIN_BREAKER_CHANGES = Counter(
    "gateway_origin_breaker_changes", "Changes of an origin's breaker.", ["origin", "state"]
)
ORIGIN_COPIES = Counter(
    "gateway_origin_copies_served",
    "Source manifests from origins that were used, by freshness (fresh, revalidated, stale).",
    ["freshness"],
)
STORE_OPERATIONS = Histogram(
    "gateway_store_operation_seconds",
    "Seconds per store operation, by operation and outcome.",
    ["operation", "outcome"],
    buckets=_SECONDS,
)
STORE_UP = Gauge(
    "gateway_store_up",
    "1 when the store answers, 0 when it does not.",
    multiprocess_mode="livemin",
)
STORE_CHANGES = Counter("gateway_store_state_changes", "Changes of the store's state.", ["state"])
STORE_DROPPED = Counter("gateway_store_dropped_writes", "Writes to the store that were given up.")
STORE_GARBAGE = Counter("gateway_store_garbage", "Entries of the store that made no sense.")
EVENTS_WRITTEN = Counter("gateway_events_written", "Decision events that the stream has taken.")
EVENTS_DROPPED = Counter(
    "gateway_events_dropped",
    "Decision events that were given up, by reason (overflow, shutdown, fault).",
    ["reason"],
)
EVENTS_QUEUED = Gauge(
    "gateway_events_queued",
    "Decision events that wait for being written.",
    multiprocess_mode="livesum",
)
BUS_PUBLISHED = Counter(
    "gateway_bus_published",
    "Messages to other workers, by topic and outcome (accepted, refused).",
    ["topic", "outcome"],
)
BUS_RECEIVED = Counter("gateway_bus_received", "Messages from the bus, by topic.", ["topic"])
BUS_GAPS = Counter(
    "gateway_bus_gaps",
    "Times that messages may have been missed, by topic and reason (away, lost, slow).",
    ["topic", "reason"],
)
BUS_IGNORED = Counter(
    "gateway_bus_ignored", "Messages from the bus that made no sense here, by topic.", ["topic"]
)
WORKERS = Gauge(
    "gateway_workers",
    "Workers alive on all hosts that share the store, as last known.",
    multiprocess_mode="livemax",
)
CONFIG_RELOADS = Counter(
    "gateway_config_reloads", "Reloads of the config, by outcome (ok, refused).", ["outcome"]
)
GEO_RELOADS = Counter(
    "gateway_geo_reloads", "Reloads of GeoIP files, by outcome (ok, refused).", ["outcome"]
)
GEO_BUILT = Gauge(
    "gateway_geo_database_build_seconds",
    "When the GeoIP database in use was built (Unix time).",
    multiprocess_mode="livemin",
)


def _counts(counter: Counter) -> Counter | Tally:
    return counter if _SHARED else Tally(counter)


def _times(histogram: Histogram) -> Histogram | TimeTally:
    return histogram if _SHARED else TimeTally(histogram, _SECONDS)


def exposition() -> bytes:
    """All metrics in the Prometheus text format, of all workers."""
    settle()
    if not _SHARED:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_worker(pid: int) -> None:
    """A worker is dead: what it last said of the present no longer counts; its counters do."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


# Finding a label set takes longer than counting; there are few, and they stay.
requests = cache(lambda route, status: _counts(REQUESTS.labels(route, str(status))))
request_seconds = cache(lambda route: _times(REQUEST_SECONDS.labels(route)))
decisions = cache(lambda *labels: _counts(DECISIONS.labels(*labels)))
edge_selections = cache(lambda edge: _counts(EDGES.labels(edge)))
_store_operations = cache(lambda *labels: _times(STORE_OPERATIONS.labels(*labels)))


class StoreMetrics:
    """Counts what the store tells (:class:`gateway.store.connection.protocol.StoreObserver`)."""

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """One operation ended."""
        _store_operations(name, outcome).observe(seconds)

    def state_changed(self, state: str, reason: str) -> None:  # noqa: ARG002
        """The store's state is another one now."""
        STORE_UP.set(0 if state == "down" else 1)
        STORE_CHANGES.labels(state).inc()

    def dropped(self, count: int) -> None:
        """``count`` writes were given up."""
        STORE_DROPPED.inc(count)
