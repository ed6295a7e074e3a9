"""The parts of a running gateway that a request uses, built by the composition root."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.cache import Cache
from gateway.client.estimate import EstimatorConfig
from gateway.config.reload import ConfigWatcher
from gateway.config.schema import Settings
from gateway.config.status import ConfigStatus
from gateway.decision import Policy
from gateway.edge.experience import NetworkExperiences
from gateway.edge.fleet import Fleet
from gateway.listener import Listener
from gateway.operators.audit import AuditTrail
from gateway.operators.sign_in import SignIn
from gateway.play.allowance import Allowance
from gateway.play.bodies import Body
from gateway.play.clients import ClientLookup
from gateway.play.measurements import Measurements
from gateway.play.probe_budget import ProbeBudget
from gateway.play.rate_limits import RateLimits
from gateway.play.report_queue import ReportQueue
from gateway.play.session_use import SessionAccess
from gateway.play.whereabouts import Whereabouts
from gateway.source.source import Source
from gateway.steering.memory import SteeringMemory
from gateway.steering.steering_config import SteeringConfig
from gateway.store.caches.decisions import DecisionCache
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.protocol import Store
from gateway.store.coordination.bus import Bus
from gateway.store.coordination.concurrent_sessions import ConcurrentSessions
from gateway.store.coordination.leases import Leases
from gateway.store.coordination.presence import Presence
from gateway.store.coordination.priors import Priors
from gateway.store.events.activity import Activity
from gateway.store.events.log import EventLog
from gateway.store.events.queue import EventQueue
from gateway.tls.certificate import FollowedCertificate
from gateway.trust.keys import KeyRing
from gateway.trust.tokens.protection import Protections
from gateway.trust.tokens.renewal import RenewalRules
from gateway.trust.tokens.verifier import Verifier
from geodata.lookup import GeoLookup

if TYPE_CHECKING:
    from gateway.observe.traces import RequestTracer


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that depend on the config; replaced as a whole at each reload. ``timed``: some rule
    has a ``time_of_day``. ``estimator`` holds the constants of session estimates, ``known_names``
    the names of CDNs and the error codes that may be kept with sessions. ``protections``: which
    assets want a playback token; none while tokens are off. ``renewal``: how tokens are renewed;
    None while they are not."""

    settings: Settings
    policy: Policy
    estimator: EstimatorConfig
    steering: SteeringConfig
    clients: ClientLookup
    timed: bool
    zone: ZoneInfo
    known_names: tuple[frozenset[str], frozenset[str]]
    source: Source
    protections: Protections
    renewal: RenewalRules | None


@dataclass(slots=True)
class Gateway:
    """The gateway in one process: the current runtime and fleet, and the parts that survive
    reloads. ``players_port`` is where the players' listener is. ``control`` is the store with the
    longer deadline of operators' work. ``revoked`` are the names of all that is
    revoked (:func:`gateway.store.coordination.revocations.revoked_name`). ``tracer`` is None while
    requests are not traced. ``only_looks``: nobody plays what is answered, so no session is placed.
    """

    runtime: Runtime
    fleet: Fleet
    store: Store
    bus: Bus
    presence: Presence
    geo: GeoLookup
    config: ConfigStatus
    decisions: DecisionCache
    sessions: Sessions
    measurements: Measurements
    whereabouts: Whereabouts
    leases: Leases
    priors: Priors
    playlists: Cache[Hashable, Body]
    keys: KeyRing
    tokens: Verifier
    steering: SteeringMemory
    rates: RateLimits
    reports: ReportQueue
    reports_left: Allowance
    steered: Allowance
    sign_ins_left: Allowance
    experiences: NetworkExperiences
    probes: ProbeBudget
    players_port: int
    certificates: Mapping[Listener, FollowedCertificate]
    events: EventQueue
    log: EventLog
    activity: Activity
    sign_in: SignIn
    audit: AuditTrail
    watcher: ConfigWatcher
    control: Store
    concurrent: ConcurrentSessions
    revoked: frozenset[bytes] = frozenset()
    tracer: "RequestTracer | None" = None
    only_looks: bool = False

    @property
    def session_access(self) -> SessionAccess:
        """Who may use sessions."""
        return SessionAccess(self.rates, self.runtime.clients, self.sessions)
