"""What is counted? All metrics of the gateway; ``docs/metrics.md`` lists them with their labels.

Label values come from the config (profiles, edges) or from fixed sets, never from a player, so the
number of series is bounded. Several workers share their metrics through files in
``PROMETHEUS_MULTIPROC_DIR``: each of them can answer ``/metrics`` for all. The files have the
number of their worker, and a worker that replaces another goes on counting in the same files.
"""

import os
import platform
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path

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
    values,
)
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.registry import Collector

from gateway.observe.processes import CountsCollector, ProcessesCollector

# Otherwise each counter has a second series with the time at which it was created.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_OURS = ("gateway_", "process_")
_SHARED = "PROMETHEUS_MULTIPROC_DIR" in os.environ
_WORKER = "STREAMING_GATEWAY_WORKER"
"""The variable with the number of a worker."""
if _SHARED and _WORKER in os.environ:
    _number = os.environ[_WORKER]
    # With process ids, as it is by default, every worker that was replaced would leave its files.
    values.ValueClass = values.MultiProcessValue(lambda: _number)  # type: ignore[no-untyped-call]
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Durations:
    """How long something took: how many fell into each bucket, and their sum in seconds."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        """The number in each bucket alone; the last one has no upper bound."""
        self.total_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds


class DurationHistogram(Collector):
    """A histogram of seconds of one process. prometheus-client's takes two locks for each
    observation, and every request makes one."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """``labels`` are the names of the labels."""
        self._name = name
        self._text = text
        self._labels = labels
        self._found: dict[tuple[str, ...], Durations] = {}
        registry.register(self)

    def labels(self, *values: str) -> Durations:
        """What has these labels."""
        return self._found.setdefault(values, Durations())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram as it is shown: each bucket counts those below it as well."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        bounds = [*map(str, BUCKETS_S), "+Inf"]
        for labels, one in self._found.items():
            buckets = list(zip(bounds, accumulate(one.counts), strict=True))
            family.add_metric(labels, buckets, one.total_s)
        yield family


def _durations(name: str, text: str, labels: Sequence[str]) -> Histogram | DurationHistogram:
    """A histogram of seconds. Several workers share files, which prometheus-client writes."""
    if _SHARED:
        return Histogram(name, text, labels, buckets=BUCKETS_S)
    return DurationHistogram(name, text, labels)


BUILD_INFO = Gauge(
    "gateway_build_info",
    "1 for the version of the gateway and of Python that runs.",
    ["version", "python"],
    multiprocess_mode="livemax",
)
REQUESTS = Counter(
    "gateway_requests", "Requests answered, by route and status code.", ["route", "status"]
)
RATE_LIMITED = Counter(
    "gateway_rate_limited",
    "Requests over a limit, by route and by whose limit it is (network, session, token).",
    ["route", "by"],
)
SESSIONS_UNUSED = Counter(
    "gateway_sessions_unused",
    "Requests that named a session that they could not use, by why (another, too-many).",
    ["reason"],
)
REQUEST_SECONDS = _durations(
    "gateway_request_seconds", "Seconds from request to answer.", ["route"]
)
DECISIONS = Counter(
    "gateway_decisions",
    "Decisions used, by profile, device and cache (local, hit, miss, off).",
    ["profile", "device", "cache"],
)
OPERATOR_REQUESTS = Counter(
    "gateway_operator_requests",
    "Requests of operators by what became of their sign-in.",
    ["outcome"],
)
AUDIT_ENTRIES = Counter(
    "gateway_audit_entries", "Entries of the audit log by what became of them.", ["outcome"]
)
EDGES = Counter("gateway_edge_selections", "Manifests whose URIs point to this edge.", ["edge"])
NETWORK_PRIORS = Gauge(
    "gateway_network_priors",
    "Networks with a prior that is in use; the largest number of all workers.",
    multiprocess_mode="livemax",
)
EDGES_BY_STATE = Gauge(
    "gateway_edges",
    "Edges of the fleet, by state (up, degraded, draining, down).",
    ["state"],
    multiprocess_mode="livemax",
)
EDGES_BY_CONTINENT = Gauge(
    "gateway_continent_edges",
    "Edges that prefer viewers of a continent, by its code and by state (up, degraded, draining, "
    "down).",
    ["continent", "state"],
    multiprocess_mode="livemax",
)
PROBES = Counter(
    "gateway_probes",
    "Probes of edges, by outcome (ok, timeout, refused, dns, tls, broken, redirect, status, "
    "not-media, stale).",
    ["edge", "outcome"],
)
PROBE_SECONDS = Summary("gateway_probe_seconds", "Seconds that a probe took.", ["edge"])
EDGE_STATE = Gauge(
    "gateway_edge_state",
    "State of the edge by its probes: 1 up, 0.5 degraded, 0 down; the lowest of all workers.",
    ["edge"],
    multiprocess_mode="livemin",
)
EDGE_CHANGES = Counter(
    "gateway_edge_state_changes",
    "Changes of an edge's state found by this gateway's own probes, by the new state.",
    ["edge", "state"],
)
EDGES_TO_PROBE = Gauge(
    "gateway_edges_to_probe",
    "Edges with a target for probes; the largest number of all workers.",
    multiprocess_mode="livemax",
)
IS_PROBER = Gauge(
    "gateway_probing_workers",
    "Workers that probe edges: 1, or all workers while Redis is not available.",
    multiprocess_mode="livesum",
)
EDGES_BY_FINDER = Gauge(
    "gateway_edges_found",
    "Edges by where they were found (config, dns, registry).",
    ["finder"],
    multiprocess_mode="livemax",
)
DNS_REFRESHES = Counter(
    "gateway_dns_refreshes",
    "DNS lookups of edges, by outcome (ok, empty, timeout, refused, garbage, unreachable).",
    ["outcome"],
)
DNS_UNUSABLE = Counter(
    "gateway_dns_unusable_records", "DNS records of edges from which no URL can be made."
)
REGISTRY_GARBAGE = Counter(
    "gateway_registry_garbage",
    "Registered edges and drains that could not be read; each counts once.",
)
EDGE_LEASED = Gauge(
    "gateway_edge_leased_kbps",
    "Sum of the expected bit rates of the sessions placed on an edge with a capacity.",
    ["edge"],
    multiprocess_mode="livemax",
)
EDGE_CAPACITY = Gauge(
    "gateway_edge_capacity_kbps",
    "Bit rate that may be leased on an edge; a worker's share while Redis is not available.",
    ["edge"],
    multiprocess_mode="livemax",
)
PLACEMENTS = Counter(
    "gateway_placements",
    "Sessions placed on edges, by outcome (kept, first, spilled, over).",
    ["outcome"],
)
SAMPLES = Counter(
    "gateway_speed_samples",
    "Measurements that players made apart from requests for playlists, by what measured (cmcd, "
    "steering, probe).",
    ["source"],
)
SAMPLES_DROPPED = Counter(
    "gateway_speed_samples_dropped",
    "Such measurements that were dropped, since too many sessions waited for the store.",
)
CMCD_REPORTS = Counter("gateway_cmcd_reports", "CMCD reports that were read, of sessions.")
CMCD_STREAM = Counter(
    "gateway_cmcd_stream",
    "CMCD reports for the stream, by outcome (written, lost).",
    ["outcome"],
)
CMCD_DROPPED = Counter(
    "gateway_cmcd_reports_dropped",
    "CMCD reports that were not used, by reason (off, budget, overflow, unreadable, anonymous, "
    "another, too-many, store, fault, shutdown).",
    ["reason"],
)
SPEED_PROBES = Counter(
    "gateway_speed_probes",
    "Probes that players asked for, by outcome (complete, cut, refused).",
    ["outcome"],
)
SPEED_PROBE_BYTES = Counter("gateway_speed_probe_bytes", "Bytes sent as probes.")
SPEED_PROBE_RESULTS = Counter(
    "gateway_speed_probe_results",
    "Results of probes, by whether they say something about the network (accepted, ignored).",
    ["outcome"],
)
STEERING_ANSWERS = Counter(
    "gateway_steering_answers",
    "Steering manifests, by why the session stays (fine, dwell, nowhere) or moves (gone, down, "
    "failed, leaving, slow, override).",
    ["reason"],
)
STEERING_STATES = Counter(
    "gateway_steering_states",
    "Requests for steering manifests, by the state that they bring (none, new, known, refused).",
    ["state"],
)
SIGNATURE_RENEWALS = Counter(
    "gateway_signature_renewals",
    "Steering manifests with signatures of edges that the session did not have, by outcome (signed "
    "or no-source).",
    ["outcome"],
)
STEERING_OBEYED = Counter(
    "gateway_steering_obeyed",
    "Requests that name their pathway, by whether it is the one that was told (yes, no), or one "
    "that the player cannot have (unknown).",
    ["obeyed"],
)
STEERING_MOVES = Counter(
    "gateway_steering_moves", "Sessions that were told to move to an edge.", ["edge"]
)
SESSIONS_FOLLOWED = Counter(
    "gateway_sessions_followed",
    "Sessions whose record has followed their player to an edge.",
    ["edge"],
)
OTLP_EXPORTS = Counter(
    "gateway_otlp_exports",
    "Exports of these metrics to a collector of OpenTelemetry, by outcome.",
    ["outcome"],
)
SESSIONS_MERGED = Counter(
    "gateway_sessions_merged",
    "Records of sessions that another worker had written meanwhile, and that were merged.",
)
PLACES_DROPPED = Counter(
    "gateway_session_places_dropped",
    "Reports of players' edges that were dropped, since too many sessions waited for the store.",
)
STEERING_OVERRIDES = Gauge(
    "gateway_steering_overrides",
    "Operators' overrides of steering that are in force; the largest number of all workers.",
    multiprocess_mode="livemax",
)
REVOCATIONS = Gauge(
    "gateway_revocations",
    "Tokens, subjects and sessions that are revoked; the largest number of all workers.",
    multiprocess_mode="livemax",
)
TOKENS = Counter(
    "gateway_tokens",
    "Requests for assets that want a playback token, by what became of them.",
    ["outcome"],
)
TOKEN_RENEWALS = Counter(
    "gateway_token_renewals",
    "Common Access Tokens that were to be renewed, by how the answer has the new one.",
    ["way"],
)
LEASE_ERRORS = Counter(
    "gateway_lease_errors",
    "Leases taken from the worker's own share because the store did not answer.",
)
CONNECTIONS = Gauge(
    "gateway_connections",
    "Connections that are open now, by listener (players, operators).",
    ["listener"],
    multiprocess_mode="livesum",
)
CONNECTION_REFUSALS = Counter(
    "gateway_connection_refusals",
    "Connections that were ended without a request being answered, by listener and reason.",
    ["listener", "reason"],
)
HANDSHAKE_FAILURES = Counter(
    "gateway_tls_handshake_failures",
    "TLS handshakes that were not completed, by listener and reason.",
    ["listener", "reason"],
)
CERTIFICATE_RELOADS = Counter(
    "gateway_certificate_reloads",
    "Certificates that were read again, by listener and outcome (ok, refused).",
    ["listener", "outcome"],
)
CERTIFICATE_EXPIRES_AT = Gauge(
    "gateway_certificate_expiry_timestamp_seconds",
    "When the certificate in use expires (Unix time), by listener.",
    ["listener"],
    multiprocess_mode="livemin",
)
PROBLEMS = Counter("gateway_problems", "Problem answers, by type.", ["problem"])
PLAYLIST_FAULTS = Counter(
    "gateway_playlist_faults",
    "Faults found in source manifests that were served nevertheless.",
    ["rule"],
)
SOURCE_ERRORS = Counter(
    "gateway_source_errors",
    "Requests for source manifests that could not be served, by kind of fault.",
    ["kind"],
)
ORIGIN_REQUESTS = Counter(
    "gateway_origin_requests",
    "Requests to origins, by outcome (the status, or why there was no usable answer).",
    ["origin", "outcome"],
)
ORIGIN_SECONDS = Histogram(
    "gateway_origin_request_seconds",
    "Seconds that a request to an origin took.",
    ["origin"],
    buckets=(*BUCKETS_S, 5.0, 10.0),
)
ORIGIN_LAGGING = Counter(
    "gateway_origin_lagging",
    "Live manifests of origins that were older than one before, and were not used.",
    ["origin"],
)
ORIGIN_RETRIES = Counter("gateway_origin_retries", "Requests to origins that were retries.")
ORIGIN_BREAKER = Gauge(
    "gateway_origin_breaker_open",
    "Circuit breaker of an origin: 1 open, 0.5 half-open, 0 closed.",
    ["origin"],
    multiprocess_mode="livemax",
)
ORIGIN_BREAKER_CHANGES = Counter(
    "gateway_origin_breaker_changes",
    "Changes of an origin's circuit breaker, by the new state.",
    ["origin", "state"],
)
ORIGIN_COPIES = Counter(
    "gateway_origin_copies_served",
    "Copies of source manifests that were used, by freshness (fresh, revalidated, stale).",
    ["freshness"],
)
STORE_OPERATIONS = _durations(
    "gateway_store_operation_seconds",
    "Seconds that a store operation took, by operation and outcome.",
    ["operation", "outcome"],
)
STORE_UP = Gauge(
    "gateway_store_up",
    "1 while the store answers, 0 while it does not.",
    multiprocess_mode="livemin",
)
STORE_CHANGES = Counter(
    "gateway_store_state_changes", "Changes of the store's state, by the new state.", ["state"]
)
STORE_DROPPED = Counter("gateway_store_dropped_writes", "Writes to the store that were dropped.")
STORE_GARBAGE = Counter("gateway_store_garbage", "Entries of the store that could not be read.")
EVENTS_WRITTEN = Counter("gateway_events_written", "Events written to the stream.")
SESSION_EVENTS_WRITTEN = Counter(
    "gateway_session_events_written", "Events kept with their sessions, for operators."
)
ACTIVITY_LISTENERS = Gauge(
    "gateway_activity_listeners",
    "Operators who are told of events as they come.",
    multiprocess_mode="livesum",
)
ACTIVITY_ENDED = Counter(
    "gateway_activity_ended",
    "Operators who are told no more, by reason (gone, slow, shutdown).",
    ["reason"],
)
EVENTS_DROPPED = Counter(
    "gateway_events_dropped",
    "Events that were dropped, by reason (overflow, shutdown, fault).",
    ["reason"],
)
EVENTS_QUEUED = Gauge(
    "gateway_events_queued",
    "Events waiting to be written.",
    multiprocess_mode="livesum",
)
BUS_PUBLISHED = Counter(
    "gateway_bus_published",
    "Messages published to other workers, by topic and outcome (accepted, refused).",
    ["topic", "outcome"],
)
BUS_RECEIVED = Counter(
    "gateway_bus_received", "Messages received from the bus, by topic.", ["topic"]
)
BUS_GAPS = Counter(
    "gateway_bus_gaps",
    "Times at which messages may have been missed, by topic and reason (away, lost, slow).",
    ["topic", "reason"],
)
BUS_IGNORED = Counter(
    "gateway_bus_ignored", "Messages from the bus that could not be read, by topic.", ["topic"]
)
LOG_LINES_LOST = Counter(
    "gateway_log_lines_lost",
    "Log lines that were lost because too many waited to be written, by log (access, log).",
    ["log"],
)
WORKERS = Gauge(
    "gateway_workers",
    "Workers alive on all hosts that share the store, as last known.",
    multiprocess_mode="livemax",
)
INSTANCE_WORKERS = Gauge(
    "gateway_instance_workers",
    "Workers of this gateway that have started and run.",
    multiprocess_mode="livesum",
)
INSTANCE_WORKERS_EXPECTED = Gauge(
    "gateway_instance_workers_expected",
    "Workers that this gateway was told to run.",
    multiprocess_mode="livemax",
)
CONFIG_RELOADS = Counter(
    "gateway_config_reloads", "Reloads of the config, by outcome (ok, refused).", ["outcome"]
)
CONFIG_SUCCESSFUL = Gauge(
    "gateway_config_last_reload_successful",
    "1 while the config file is in force, 0 while the last one was refused.",
    multiprocess_mode="livemin",
)
CONFIG_SUCCESS_AT = Gauge(
    "gateway_config_last_reload_success_timestamp_seconds",
    "When the config in force was loaded (Unix time).",
    multiprocess_mode="livemin",
)
GEO_RELOADS = Counter(
    "gateway_geo_reloads", "Reloads of GeoIP files, by outcome (ok, refused).", ["outcome"]
)
TOKEN_KEY_READS = Counter(
    "gateway_token_key_reads",
    "Reads of files and fetches of sets with keys of playback tokens, by outcome (ok, refused).",
    ["outcome"],
)
TOKEN_KEY_SOURCES_REFUSED = Gauge(
    "gateway_token_key_sources_refused",
    "Files and sets with keys of playback tokens whose last read failed; the last good keys are in "
    "use.",
    multiprocess_mode="livemax",
)
TASK_FAILURES = Counter(
    "gateway_background_task_failures",
    "Failures of background tasks, which are then started again, by task.",
    ["task"],
)
TASKS_FAILING = Gauge(
    "gateway_background_tasks_failing",
    "Background tasks that fail or hang now, by task; the sum of all workers.",
    ["task"],
    multiprocess_mode="livesum",
)
GEO_REFUSED = Gauge(
    "gateway_geo_databases_refused",
    "GeoIP files that cannot be used as they are now; the last good ones are in use.",
    multiprocess_mode="livemax",
)
GEO_BUILT = Gauge(
    "gateway_geo_database_build_seconds",
    "When the GeoIP database in use was built (Unix time).",
    multiprocess_mode="livemin",
)
GEO_EMBEDDED = Gauge(
    "gateway_geo_database_embedded",
    "1 while the GeoIP database in use is the one that comes with the gateway, else 0.",
    multiprocess_mode="livemax",
)


class Pending:
    """Increments of a counter that are added to it when metrics are read.

    Every request counts three times, and adding to a number of our own takes a tenth of the time of
    a counter's lock. Several workers do without: each of them is asked for the others' counts.
    """

    __slots__ = ("_count", "_counter")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._count = 0
        _pending.append(self)

    def inc(self) -> None:
        """Count one."""
        self._count += 1

    def settle(self) -> None:
        """Add what was counted."""
        count, self._count = self._count, 0
        self._counter.inc(count)


_pending: list[Pending] = []


def _counting(counter: Counter) -> Counter | Pending:
    return counter if _SHARED else Pending(counter)


def exposition() -> bytes:
    """The metrics of all workers in the Prometheus text format."""
    for each in _pending:
        each.settle()
    return generate_latest(_registry())


def families() -> list[Metric]:
    """The metrics of all workers, without those of Python."""
    for each in _pending:
        each.settle()
    return [each for each in _registry().collect() if each.name.startswith(_OURS)]


def shared_folder() -> str | None:
    """Where several workers share their metrics; None when there is one."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR") if _SHARED else None


def failing_tasks() -> dict[str, int]:
    """How many background tasks of each name fail now, in all workers."""
    return {
        sample.labels["task"]: round(sample.value)
        for metric in _registry().collect()
        for sample in metric.samples
        if metric.name == "gateway_background_tasks_failing" and sample.value > 0
    }


def _registry() -> CollectorRegistry:
    """What all workers have counted."""
    if not _SHARED:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(CountsCollector(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
    registry.register(ProcessesCollector(os.getppid()))
    return registry


def describe_worker(expected: int) -> None:
    """Say which version runs, and that a worker of ``expected`` on this host is here.

    Outcomes that alerts count are shown from now on: Prometheus sees no increase in a counter that
    appears with its first count."""
    BUILD_INFO.labels(version("streaming-gateway"), platform.python_version()).set(1)
    INSTANCE_WORKERS.set(1)
    INSTANCE_WORKERS_EXPECTED.set(expected)
    for counter, outcomes in _SHOWN_FROM_THE_START.items():
        for outcome in outcomes:
            counter.labels(outcome)


_SHOWN_FROM_THE_START = {
    AUDIT_ENTRIES: ("dropped",),
    CONFIG_RELOADS: ("ok", "refused"),
    EVENTS_DROPPED: ("overflow", "fault"),
    GEO_RELOADS: ("ok", "refused"),
    OPERATOR_REQUESTS: ("refused", "limited", "unavailable"),
    OTLP_EXPORTS: ("done", "failed"),
    PLACEMENTS: ("kept", "first", "spilled", "over"),
    SOURCE_ERRORS: ("syntax", "unreadable", "lost"),
    TOKEN_KEY_READS: ("ok", "refused"),
}


def number_worker(number: int) -> None:
    """Give the worker that this process starts next its number. No other worker that runs may have
    it."""
    os.environ[_WORKER] = str(number)


def forget_worker(number: int) -> None:
    """Drop the gauges of a worker that has ended. Its counters are kept."""
    mark_process_dead(number)  # type: ignore[no-untyped-call]


@cache
def requests(route: str, status: int) -> Counter | Pending:
    """The counter of requests with these labels.

    This function and those below are called for every request, and ``labels`` takes longer than
    ``inc``, so they return the same object each time. prometheus-client keeps these objects for the
    life of the process anyway.
    """
    return _counting(REQUESTS.labels(route, str(status)))


@cache
def rate_limited(route: str, by: str) -> Counter | Pending:
    """The counter of requests over a limit with these labels."""
    return _counting(RATE_LIMITED.labels(route, by))


@cache
def request_seconds(route: str) -> Histogram | Durations:
    """The histogram of request times for a route."""
    return REQUEST_SECONDS.labels(route)


@cache
def decisions(profile: str, device: str, cache: str) -> Counter | Pending:
    """The counter of decisions with these labels."""
    return _counting(DECISIONS.labels(profile, device, cache))


@cache
def edge_selections(edge: str) -> Counter | Pending:
    """The counter of manifests that name an edge."""
    return _counting(EDGES.labels(edge))


@cache
def samples(source: str) -> Counter | Pending:
    """The counter of measurements from this source."""
    return _counting(SAMPLES.labels(source))


@cache
def steering_answers(reason: str) -> Counter | Pending:
    """The counter of steering manifests with this reason."""
    return _counting(STEERING_ANSWERS.labels(reason))


@cache
def steering_states(state: str) -> Counter | Pending:
    """The counter of requests for steering manifests with such a state."""
    return _counting(STEERING_STATES.labels(state))


@cache
def steering_obeyed(obeyed: str) -> Counter | Pending:
    """The counter of requests that name their pathway."""
    return _counting(STEERING_OBEYED.labels(obeyed))


@cache
def signature_renewals(outcome: str) -> Counter | Pending:
    """The counter of answers that sign URLs anew, with this outcome."""
    return _counting(SIGNATURE_RENEWALS.labels(outcome))


@cache
def _store_operations(operation: str, outcome: str) -> Histogram | Durations:
    return STORE_OPERATIONS.labels(operation, outcome)


class StoreMetrics:
    """Counts what happens to the store (a ``StoreObserver`` of ``gateway.store``)."""

    def operation(self, name: str, outcome: str, seconds: float) -> None:
        """An operation ended after ``seconds``."""
        _store_operations(name, outcome).observe(seconds)

    def state_changed(self, state: str, reason: str) -> None:  # noqa: ARG002
        """The store's state changed to ``state``."""
        STORE_UP.set(0 if state == "down" else 1)
        STORE_CHANGES.labels(state).inc()

    def dropped(self, count: int) -> None:
        """``count`` writes were dropped."""
        STORE_DROPPED.inc(count)
