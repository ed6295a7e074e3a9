"""What does a request need besides itself? The parts that the composition root has built."""

from collections.abc import Hashable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.cache import Cache
from gateway.config.schema import Settings
from gateway.decision import Policy
from gateway.edge.fleet import Fleet
from gateway.play.bodies import Body
from gateway.play.clients import ClientLookup
from gateway.source.source import Source
from gateway.store.caches.decisions import DecisionCache
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.protocol import Store
from gateway.store.coordination.bus import Bus
from gateway.store.coordination.leases import Leases
from gateway.store.coordination.presence import Presence
from gateway.store.events.queue import EventQueue
from geodata.lookup import GeoLookup


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that follow from one version of the config; replaced as a whole. ``timed``: some
    rule asks for the time of day."""

    settings: Settings
    policy: Policy
    clients: ClientLookup
    timed: bool
    zone: ZoneInfo
    source: Source


@dataclass(slots=True)
class Gateway:
    """One process's gateway: the current runtime and fleet, and what outlives a reload."""

    runtime: Runtime
    fleet: Fleet
    store: Store
    bus: Bus
    presence: Presence
    geo: GeoLookup
    decisions: DecisionCache
    sessions: Sessions
    leases: Leases
    playlists: Cache[Hashable, Body]
    events: EventQueue | None = None
