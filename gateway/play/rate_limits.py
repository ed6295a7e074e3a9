"""How much may one client network ask for, from all workers together?

Each worker decides by itself, without waiting: a network may take its share of the limit there,
which is the limit divided by the live workers. A network that has used half of its burst is
*watched*: a background task (:mod:`gateway.background.rates`) adds what the workers have seen of it
in Redis, a few times a second, and then it may use all of the limit at any of them. Without Redis,
the shares stay. ``docs/limits.md`` says why.

What is known of a network is one number (:mod:`gateway.play.allowance`): the seconds that it owes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Literal, NamedTuple

from gateway.cache import RATES, Cache
from gateway.client.address import Address, TrustedProxies
from gateway.config.rate_settings import RateSettings

RateClass = Literal["manifests", "decisions", "other", "sessions", "steering"]
"""What is limited: a group of routes, sessions that begin, or first requests for steering, of which
each manifest may bring one."""

MAX_WATCHED: Final = 1024
"""The most networks that a worker watches."""
FRESH_S: Final = 1.0
"""What Redis said counts for so long."""
WATCHED_FROM: Final = 0.5
"""A network is watched when it has used this part of its burst, and until it owes half of that."""
MAX_DEBT_S: Final = 10.0
"""The most that a network can owe beyond its burst, because several workers let it."""

_CLASSES: Final = 5
_MINUTE_S: Final = 60
_ROUNDING_S: Final = 1e-6
"""Sums of times are not exact."""
_IPV6: Final = 1 << 130
"""Keeps the keys of IPv6 networks apart from those of IPv4."""


class _Limit(NamedTuple):
    """A limit: its position among all, the seconds that a network owes for each request, and the
    most that it may owe."""

    at: int
    each_s: float
    burst_s: float


@dataclass(slots=True)
class Watched:
    """A network that several workers may limit together. ``paid_at_s`` is when it will have paid
    for what all have let it take, as Redis said at ``heard_s``; None before. ``pending_s`` is what
    it has taken here since, in seconds of the limit."""

    which: RateClass
    network: int
    key: int
    paid_at_s: float = 0.0
    heard_s: float | None = None
    pending_s: float = 0.0


class RateLimits:
    """The limits of one worker. Times are in monotonic seconds."""

    def __init__(self, settings: RateSettings, workers: Callable[[], int]) -> None:
        """``workers`` gives the number of live workers."""
        self._workers = workers
        self._paid_at: Cache[int, float] = Cache(RATES)
        self._watched: dict[int, Watched] = {}
        self.configure(settings)

    def configure(self, settings: RateSettings) -> None:
        """Use a new config."""
        sessions = settings.new_sessions_per_min
        bounds: dict[RateClass, tuple[float, int]] = {
            "manifests": (settings.manifests_per_s, settings.manifests_burst),
            "decisions": (settings.decisions_per_s, settings.decisions_burst),
            "other": (settings.other_per_s, settings.other_burst),
            "sessions": (sessions / _MINUTE_S, sessions),
            "steering": (settings.manifests_per_s, settings.manifests_burst),
        }
        self._limits = {
            which: _Limit(at, 1 / rate, burst / rate) if rate else None
            for at, (which, (rate, burst)) in enumerate(bounds.items())
        }
        self._exempt = TrustedProxies.of(settings.exempt)
        self._shift4 = 32 - settings.ipv4_prefix
        self._shift6 = 128 - settings.ipv6_prefix

    def network(self, client: Address) -> int:
        """The network of a client: a number that no other network has."""
        if isinstance(client, IPv4Address):
            return int(client) >> self._shift4
        return _IPV6 | int(client) >> self._shift6

    def is_exempt(self, client: Address) -> bool:
        """Whether the config sets no limits for a client."""
        return client in self._exempt

    def take(self, which: RateClass, client: Address, now_s: float, amount: int = 1) -> float:
        """Count ``amount`` requests, or assets, of a client. Seconds until it may ask again: 0.0
        when it may ask now, else nothing was counted."""
        limit = self._limits[which]
        if limit is None:
            return 0.0
        at, each_s, burst_s = limit
        network = self.network(client)
        key = network * _CLASSES + at
        paid_at = self._paid_at.get(key)
        before_s = 0.0 if paid_at is None or paid_at <= now_s else paid_at - now_s
        workers = self._workers()
        owed_s = before_s + amount * each_s * workers
        if owed_s <= burst_s * WATCHED_FROM:
            self._paid_at.put(key, now_s + owed_s)
            return 0.0
        watched = self._watch(key, which, network, before_s / workers)
        wait_s = owed_s - burst_s
        if (
            watched is not None
            and watched.heard_s is not None
            and now_s < watched.heard_s + FRESH_S
        ):
            others_s = max(0.0, watched.paid_at_s - now_s)
            wait_s = others_s + watched.pending_s + amount * each_s - burst_s
        if wait_s > _ROUNDING_S and not self.is_exempt(client):
            return wait_s
        self._paid_at.put(key, now_s + min(owed_s, burst_s))
        if watched is not None:
            watched.pending_s += amount * each_s
        return 0.0

    def charge(self, which: RateClass, client: Address, now_s: float, amount: int) -> None:
        """Count what a client gets although it is more than it may ask for: it waits longer for
        the next."""
        limit = self._limits[which]
        if limit is None or self.is_exempt(client):
            return
        at, each_s, burst_s = limit
        network = self.network(client)
        key = network * _CLASSES + at
        workers = self._workers()
        before_s = max(0.0, (self._paid_at.get(key) or 0.0) - now_s)
        owed_s = before_s + amount * each_s * workers
        self._paid_at.put(key, now_s + owed_s)
        watched = self._watched.get(key)
        if watched is None and owed_s > burst_s * WATCHED_FROM:
            watched = self._watch(key, which, network, before_s / workers)
        if watched is not None:
            watched.pending_s += amount * each_s

    def _watch(self, key: int, which: RateClass, network: int, owed_s: float) -> Watched | None:
        """A network as it is watched; None when too many are. ``owed_s`` is what it owed here
        before, in seconds of the limit."""
        found = self._watched.get(key)
        if found is None and len(self._watched) < MAX_WATCHED:
            found = self._watched[key] = Watched(which, network, key, pending_s=owed_s)
        return found

    def watched(self, most: int) -> list[Watched]:
        """Up to ``most`` networks that are watched; those that were not told of for longest come
        first."""
        return list(self._watched.values())[:most]

    def most_owed_s(self, which: RateClass) -> float:
        """The most seconds that a network may owe all workers together."""
        limit = self._limits[which]
        return MAX_DEBT_S if limit is None else limit.burst_s + MAX_DEBT_S

    def told(
        self,
        networks: Sequence[Watched],
        sent_s: Sequence[float],
        owed_s: Sequence[float],
        now_s: float,
    ) -> None:
        """Redis has counted ``sent_s`` for each of ``networks``, which now owe ``owed_s``. Those
        that ask for little are watched no longer."""
        for network, sent, owed in zip(networks, sent_s, owed_s, strict=True):
            network.pending_s -= sent
            network.paid_at_s, network.heard_s = now_s + owed, now_s
            self._watched.pop(network.key, None)
            limit = self._limits[network.which]
            here_s = (self._paid_at.get(network.key) or 0.0) - now_s
            if limit is not None and max(owed, here_s) > limit.burst_s * WATCHED_FROM / 2:
                self._watched[network.key] = network  # behind the others
