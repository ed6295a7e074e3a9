"""The composition root: the only place that builds the parts and wires them together."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.background import audit_writer, capacity, priors, rates
from gateway.background import geo as geo_files
from gateway.background.certificates import certificate_warnings, certificates_of
from gateway.background.control import Control
from gateway.background.dns_edges import DnsEdges
from gateway.background.edge_register import EdgeRegister
from gateway.background.event_writer import EventWriter
from gateway.background.fleet import FleetKeeper
from gateway.background.health_watch import HealthWatch
from gateway.background.otlp import OtlpExport
from gateway.background.overrides import OverrideWatch
from gateway.background.reports import ReportReader
from gateway.background.revocations import RevocationWatch
from gateway.background.signing_keys import KeyKeeper
from gateway.background.token_keys import TokenKeyKeeper
from gateway.cache import PLAYLISTS, PROBES_LEFT, REPORTS_LEFT, SIGN_INS_LEFT, STEERED, Cache
from gateway.client.address import TrustedProxies
from gateway.client.device import DeviceClassifier
from gateway.config.build import (
    device_rules_of,
    drains_of,
    estimator_of,
    generated_rungs_of,
    geo_database_of,
    origin_config_of,
    prior_config_of,
    signing_keys_of,
    steering_config_of,
    templates_of,
)
from gateway.config.load import Loaded
from gateway.config.problem import ConfigError, ConfigProblem
from gateway.config.reload import ConfigWatcher, Reload
from gateway.config.schema import Settings
from gateway.config.status import ConfigStatus
from gateway.config.token_build import (
    protections_of,
    renewal_rules_of,
    token_rules_of,
    token_sources_of,
)
from gateway.edge.experience import NetworkExperiences
from gateway.edge.fleet import Fleet
from gateway.http.envelope import Envelope
from gateway.listener import OPERATORS, PLAYERS
from gateway.observe import metrics, tasks
from gateway.observe.metrics import StoreMetrics
from gateway.observe.tasks import supervise
from gateway.operators.audit import AuditTrail
from gateway.operators.reload_record import record_reload
from gateway.operators.sign_in import SignIn
from gateway.play.allowance import Allowance
from gateway.play.bodies import weight_of
from gateway.play.clients import ClientLookup
from gateway.play.dash.manifest import dash_source
from gateway.play.hls.manifest import generated_hls, hls_source
from gateway.play.measurements import Measurements
from gateway.play.probe_budget import ProbeBudget
from gateway.play.rate_limits import RateLimits
from gateway.play.report_queue import ReportQueue
from gateway.play.request import Headers
from gateway.play.runtime import Gateway, Runtime
from gateway.play.whereabouts import Whereabouts
from gateway.source.directory import DirectorySource
from gateway.source.generated import GeneratedSource
from gateway.source.source import BadSourceError, Source
from gateway.steering.memory import SteeringMemory
from gateway.store.caches.decisions import DecisionCache
from gateway.store.caches.sessions import Sessions
from gateway.store.caches.source_copies import SourceCopies
from gateway.store.connection.connect import connect, control_store
from gateway.store.connection.protocol import Store
from gateway.store.coordination.concurrent_sessions import ConcurrentSessions
from gateway.store.coordination.leases import Leases
from gateway.store.coordination.presence import MAX_FAILING, LiveWorker, Presence
from gateway.store.coordination.priors import Priors
from gateway.store.coordination.redis_bus import bus_over
from gateway.store.events.activity import Activity
from gateway.store.events.log import EventLog
from gateway.store.events.memory_log import MemoryEventLog
from gateway.store.events.queue import EventQueue
from gateway.store.events.redis_log import RedisEventLog
from gateway.trust.keys import KeyRing
from gateway.trust.tokens.verifier import Verifier
from geodata.lookup import GeoLookup
from manifests.format import ManifestFormat

log = structlog.get_logger()

EXPERIENCE_WINDOW_S = 300.0
"""What players report of an edge counts for one to two of these windows, in seconds."""

LAST_TRACES_S = 2.0
"""The most seconds that the end of the process waits for its last traces to be exported."""

FIRST_EDGES_S = 1.0
"""The most seconds that the start waits for edges from DNS and the register."""

FIRST_KEY_S = 1.0
"""The most seconds that the start waits for the key that workers share."""

FIRST_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0 Safari/537.36"
"""Classified before the first request, to compile the patterns that nearly every player needs."""
LATER_USER_AGENTS = (
    "Mozilla/5.0 (Linux; Android 14; Nobody's) Chrome/131.0.0.0 Safari/537.36",
    "Nobody/1.0",
)
"""Classified right after the start, to compile every other table and load the device library."""


class Application:
    """The gateway as an ASGI application for players; ``operators`` is that for operators.

    ``gateway`` is its state, for tests and ``explain``.
    """

    def __init__(
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        store_url: str | None,
        workers: int | None = None,
        players_port: int | None = None,
    ) -> None:
        """Wire the parts together. Nothing runs before the ASGI lifespan starts.

        ``store_url`` replaces the config's when a parent process runs the embedded store.
        ``workers`` and ``players_port`` replace the config's.
        """
        settings = loaded.settings
        store = connect(
            store_url or settings.store.url.get_secret_value(),
            timeout_ms=settings.store.timeout_ms,
            observer=StoreMetrics(),
        )
        geo = geo_lookup(settings)
        self.certificates = certificates_of(settings)
        control = control_store(store)
        me = _worker_facts()
        self._workers = workers or settings.server.workers
        presence = Presence(
            control.redis,
            lambda: self._as_now(me),
            self._workers,
        )
        self.keeper = FleetKeeper(loaded.policy.edges)
        self.keeper.judged("config", drains_of(settings))
        self._dns = DnsEdges(self.keeper, templates_of(settings), settings.dns)
        self._keys = KeyKeeper(signing_keys_of(settings), settings.keys.overlap_s, control.redis)
        self._token_keys = TokenKeyKeeper(token_sources_of(settings), token_rules_of(settings))
        sessions = Sessions(store, settings.store.session_ttl_s, estimator_of(settings))
        leases = Leases(store, settings.capacity.lease_s, presence.count)
        status = ConfigStatus(time.time())
        audit = AuditTrail(control.redis, lambda: self.gateway.runtime.settings.admin.audit_entries)
        self._watcher = ConfigWatcher(
            loaded, environ, self._apply, _Reloads(self._reloaded, status, audit)
        )
        self.gateway = Gateway(
            runtime=_runtime(loaded, None, store, geo),
            fleet=self.keeper.fleet,
            store=store,
            bus=bus_over(control),
            presence=presence,
            geo=geo,
            config=status,
            watcher=self._watcher,
            control=control,
            audit=audit,
            decisions=DecisionCache(store, settings.store.decision_ttl_s),
            sessions=sessions,
            measurements=Measurements(sessions),
            whereabouts=Whereabouts(sessions, leases),
            leases=leases,
            priors=Priors(control.redis, prior_config_of(settings)),
            playlists=Cache(PLAYLISTS, settings.limits.local_cache_bytes, weight_of),
            keys=self._keys.ring,
            tokens=self._token_keys.verifier,
            steering=SteeringMemory(leases.room_kbps, steering_config_of(settings)),
            rates=RateLimits(settings.rate, presence.count),
            reports=ReportQueue(),
            reports_left=Allowance(Cache(REPORTS_LEFT)),
            steered=Allowance(Cache(STEERED)),
            sign_ins_left=Allowance(Cache(SIGN_INS_LEFT)),
            experiences=NetworkExperiences(EXPERIENCE_WINDOW_S),
            probes=ProbeBudget(Allowance(Cache(PROBES_LEFT))),
            players_port=players_port or settings.server.port,
            certificates=self.certificates,
            events=EventQueue(has_stream=store.redis is not None),
            log=_event_log(store, control),
            activity=Activity(
                control.redis, lambda: self.gateway.runtime.settings.events.max_listeners
            ),
            sign_in=SignIn(settings, lambda: self.gateway.keys, control.redis),
            concurrent=ConcurrentSessions(store, settings.tokens.session_ends_after_s),
        )
        self.gateway.leases.use(self.keeper.fleet)
        self.keeper.on_change(self.use_fleet)
        self._keys.on_change(self._use_keys)
        self._token_keys.on_change(self._use_verifier)
        self._register = EdgeRegister(
            self.keeper,
            control.redis,
            self.gateway.bus.subscribe("edges"),
            settings,
        )
        self._overrides = OverrideWatch(
            self.keeper, control.redis, self.gateway.bus.subscribe("edges")
        )
        self._revocations = RevocationWatch(
            self._use_revoked, control.redis, self.gateway.bus.subscribe("revocations")
        )
        self._health = HealthWatch(control, self.keeper, settings.health, self.gateway.bus)
        self._reports = ReportReader(self.gateway)
        self._events = EventWriter(
            self.gateway.events, self.gateway.log, lambda: self.gateway.runtime.settings
        )
        resource = {
            "service.name": "streaming-gateway",
            "service.instance.id": f"{me.host}:{self.gateway.players_port}",
        }
        self._otlp = OtlpExport(settings.otlp, resource)
        self._resource = {**resource, "service.version": me.version, "process.pid": str(me.pid)}
        if settings.events.enabled and store.redis is None:
            reason = 'store.url is "memory"; the stream of events needs a Redis'
            log.warning("events_not_available", reason=reason)
        self._control_store = control
        self._control = Control(
            self.gateway.bus,
            presence,
            control.redis,
            self._watcher.check_soon,
            lambda: self.gateway.runtime.source,
        )
        self._players = Envelope(self.gateway, PLAYERS, self.lifespan)
        self.operators: ASGIApp = Envelope(self.gateway, OPERATORS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry of the players' listener, and of the lifespan."""
        await self._players(scope, receive, send)

    def _as_now(self, me: LiveWorker) -> LiveWorker:
        """This process's entry among the live workers."""
        return replace(
            me,
            policy=self.gateway.runtime.policy.version,
            port=self.gateway.players_port,
            loaded=int(self.gateway.config.loaded_at),
            refused=self.gateway.config.refusal is not None,
            failing=tuple(dict.fromkeys(tasks.failing()))[:MAX_FAILING],
            store=self.gateway.store.trouble or "",
        )

    def warnings(self) -> tuple[ConfigProblem, ...]:
        """What is doubtful in what the config names."""
        public_url = self.gateway.runtime.settings.server.public_url
        return tuple(certificate_warnings(self.certificates, public_url, time.time()))

    def reload(self) -> None:
        """Read the config and the certificates again (SIGHUP)."""
        self._watcher.reload_soon()
        for keeper in self.certificates.values():
            keeper.look_soon()

    def stopping(self) -> None:
        """The server is about to stop: end the answers that would not end by themselves."""
        self.gateway.activity.stop()

    def _reloaded(self, version: str) -> None:
        self._control.reloaded(version)

    def _apply(self, loaded: Loaded) -> None:
        self.gateway.runtime = _runtime(
            loaded, self.gateway.runtime, self.gateway.store, self.gateway.geo
        )
        self.gateway.sign_in.configure(loaded.settings)
        self.gateway.concurrent.use(loaded.settings.tokens.session_ends_after_s)
        self._health.configure(loaded.settings.health)
        self._dns.use(templates_of(loaded.settings), loaded.settings.dns)
        self.gateway.rates.configure(loaded.settings.rate)
        self.gateway.steering.configure(steering_config_of(loaded.settings))
        self._keys.configure(signing_keys_of(loaded.settings), loaded.settings.keys.overlap_s)
        self._token_keys.configure(
            token_sources_of(loaded.settings), token_rules_of(loaded.settings)
        )
        self.gateway.priors.use(prior_config_of(loaded.settings))
        self.gateway.sessions.use(self.gateway.runtime.estimator)
        self.keeper.judged("config", drains_of(loaded.settings))
        self.keeper.found("config", loaded.policy.edges)
        self._register.configure(loaded.settings)  # last: the edges of the config may replace some

    def _use_keys(self, keys: KeyRing) -> None:
        self.gateway.keys = keys

    def _use_revoked(self, names: frozenset[bytes]) -> None:
        self.gateway.revoked = names

    def _use_verifier(self, verifier: Verifier) -> None:
        self.gateway.tokens = verifier

    def use_fleet(self, fleet: Fleet) -> None:
        """Decide over ``fleet`` from now on."""
        self.gateway.fleet = fleet
        self.gateway.leases.use(fleet)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """The ASGI lifespan: runs the store and the background tasks."""
        clients = self.gateway.runtime.clients
        _warm_up(clients, FIRST_USER_AGENT)
        await self.gateway.store.start()
        await self._control_store.start()
        metrics.describe_worker(self._workers)
        metrics.STORE_UP.set(0 if self.gateway.store.state == "down" else 1)
        self._start_tracing()
        await self._health.first_look()
        running = [supervise(name, work) for name, work in self._background_tasks().items()]
        await asyncio.gather(
            self._dns.first_answers(FIRST_EDGES_S),
            self._register.first_look(FIRST_EDGES_S),
            self._keys.first_look(FIRST_KEY_S),
            self._revocations.first_look(),
            self._token_keys.first_look(FIRST_KEY_S),
        )
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        policy = self.gateway.runtime.policy.version
        for warning in self.warnings():
            log.warning("config_warning", problem=str(warning))
        log.info("started", policy=policy, edges=len(self.gateway.fleet.edges))
        warm_up = partial(asyncio.to_thread, _warm_up, clients, *LATER_USER_AGENTS)
        running.append(supervise("warm_up", warm_up))
        await asyncio.sleep(0)  # every task starts, so that it can be cancelled
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._reports.finish()
            await self._events.finish()
            await audit_writer.finish(self.gateway.audit)
            await self.gateway.runtime.source.close()
            await self._control_store.close()
            await self.gateway.store.close()
            if self.gateway.tracer is not None:
                await asyncio.to_thread(self.gateway.tracer.stop().join, LAST_TRACES_S)
            log.info("stopped")

    def _start_tracing(self) -> None:
        otlp = self.gateway.runtime.settings.otlp
        if otlp.traces_endpoint is not None:
            from gateway.observe.traces import RequestTracer  # noqa: PLC0415 - an extra

            self.gateway.tracer = RequestTracer(
                otlp.traces_endpoint, otlp.traces_share, self._resource
            )

    def _background_tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs beside the requests, by name."""
        return {
            "source": self.gateway.runtime.source.watch,
            "geo": partial(geo_files.follow, self.gateway.geo),
            "config": self._watcher.run,
            "bus": self.gateway.bus.run,
            "presence": self.gateway.presence.run,
            "control": self._control.run,
            "health": self._health.run,
            "dns": self._dns.run,
            "register": self._register.run,
            "overrides": self._overrides.run,
            "revocations": self._revocations.run,
            "concurrent_sessions": self.gateway.concurrent.run,
            "keys": self._keys.run,
            "token_keys": self._token_keys.run,
            "measurements": self.gateway.measurements.run,
            "whereabouts": self.gateway.whereabouts.run,
            "reports": self._reports.run,
            "priors": partial(priors.follow, self.gateway.priors),
            "capacity": partial(capacity.follow, self.gateway.leases, self.keeper),
            "events": self._events.run,
            "activity": self.gateway.activity.run,
            "rates": partial(rates.follow, self.gateway),
            "audit": partial(audit_writer.follow, self.gateway.audit),
            "otlp": self._otlp.run,
            **{f"certificate_{name}": each.run for name, each in self.certificates.items()},
        }


def _event_log(store: Store, control: Store) -> EventLog:
    """Where events are written through ``store``, and read through ``control``."""
    if store.redis is None or control.redis is None:
        return MemoryEventLog()
    return RedisEventLog(store.redis, control.redis)


def _worker_facts() -> LiveWorker:
    """This process's entry among the live workers, without what changes."""
    return LiveWorker(
        id=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        policy="",
        started=int(time.time()),
        version=version("streaming-gateway"),
    )


def _warm_up(clients: ClientLookup, *user_agents: str) -> None:
    """Compile the patterns that these User-Agents need, which takes tenths of a second, before a
    player waits for them."""
    for user_agent in user_agents:
        clients.player(Headers({"user-agent": user_agent}))


def build(
    loaded: Loaded,
    environ: Mapping[str, str] | None = None,
    store_url: str | None = None,
    workers: int | None = None,
    players_port: int | None = None,
) -> Application:
    """The application for a loaded config. ``environ`` is read again at every reload.

    Raises ConfigError and StoreError for what only building it shows.
    """
    return Application(loaded, {} if environ is None else environ, store_url, workers, players_port)


def _runtime(loaded: Loaded, previous: Runtime | None, store: Store, geo: GeoLookup) -> Runtime:
    """Build the parts that depend on the config. A source that has not changed keeps its cache."""
    settings = loaded.settings
    return Runtime(
        settings=settings,
        policy=loaded.policy,
        estimator=estimator_of(settings),
        steering=steering_config_of(settings),
        clients=ClientLookup(
            DeviceClassifier(device_rules_of(settings)),
            TrustedProxies.of(str(network) for network in settings.server.trusted_proxies),
            geo,
            settings.server.forwarded_headers,
        ),
        timed=any(rule.when.time_of_day is not None for rule in loaded.policy.rules),
        zone=ZoneInfo(settings.policy.time_zone),
        known_names=(frozenset(settings.cmcd.cdn_names), frozenset(settings.cmcd.error_codes)),
        source=_source(settings, previous, store),
        protections=protections_of(settings),
        renewal=renewal_rules_of(settings),
    )


def _source(settings: Settings, previous: Runtime | None, store: Store) -> Source:
    source = settings.source
    if source.kind == "generated":
        try:
            manifest = generated_hls(generated_rungs_of(settings))
        except BadSourceError as error:
            problem = ConfigProblem("ladder", f"gives no playlist that can be served: {error}")
            raise ConfigError([problem]) from error
        return GeneratedSource(manifest, source.hls)
    if previous is not None:
        return previous.source  # its keys take effect at a restart
    formats = {
        ManifestFormat.HLS: hls_source(source.hls),
        ManifestFormat.DASH: dash_source(source.dash),
    }
    if source.kind == "origin":
        from gateway.source.origin.origin import OriginSource  # noqa: PLC0415  # brings a client

        return OriginSource(origin_config_of(settings), SourceCopies(store), formats)
    if source.root is None:
        raise AssertionError("the config check refuses a directory source without a root")
    limit = settings.limits.max_playlist_bytes
    return DirectorySource(source.root, formats, limit)


def geo_lookup(settings: Settings) -> GeoLookup:
    """The GeoIP databases of a config; ``status`` says which of them cannot be used."""
    return GeoLookup(
        geo_database_of(settings),
        settings.geo.asn_database,
        settings.geo.anonymous_ip_database,
    )


class _Reloads:
    """Counts reloads, keeps their outcome, records them, and announces them to other workers
    (:data:`gateway.config.reload.Observer`)."""

    def __init__(
        self, announce: Callable[[str], None], status: ConfigStatus, audit: AuditTrail
    ) -> None:
        self._announce = announce
        self._status = status
        self._audit = audit
        self._in_force()

    def __call__(self, reload: Reload) -> None:
        """A config took effect, or was refused whole."""
        now_s = time.time()
        record_reload(self._audit, reload, int(now_s * 1000))
        if reload.new is None:
            metrics.CONFIG_RELOADS.labels("refused").inc()
            metrics.CONFIG_SUCCESSFUL.set(0)
            self._status.refuse(now_s, reload.problems)
            return
        metrics.CONFIG_RELOADS.labels("ok").inc()
        self._status.use(now_s, reload.waiting)
        self._in_force()
        self._announce(reload.new.policy.version)

    def _in_force(self) -> None:
        metrics.CONFIG_SUCCESSFUL.set(1)
        metrics.CONFIG_SUCCESS_AT.set(self._status.loaded_at)
