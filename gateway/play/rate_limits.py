"""How much may one client network, one session, or one token ask for, from all workers together?

Each worker decides by itself, without waiting: a network may take its share of the limit there,
which is the limit divided by the live workers. A network that has used half of its burst is
*watched*: a background task (:mod:`gateway.background.rates`) adds what the workers have seen of it
in Redis, a few times a second, and then it may use all of the limit at any of them. Without Redis,
the shares stay. ``docs/limits.md`` says why. The same holds for sessions and tokens, which are
counted in tables of their own: naming many of them pushes no network out.

What is known of each is one number (:mod:`gateway.play.allowance`): the seconds that it owes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import islice
from typing import Final, Literal, NamedTuple

from gateway.cache import RATES, SESSION_RATES, TOKEN_RATES, Cache
from gateway.client.address import Address, TrustedProxies
from gateway.config.rate_settings import RateSettings

RateClass = Literal["manifests", "decisions", "other", "new_sessions", "steering"]
"""What is limited of a client network: a group of routes, sessions that begin, or first requests
for steering, of which each manifest may bring one."""
RateLimit = Literal[RateClass, "session", "token"]
"""The limits of client networks, and what one session, or one token, may ask for."""

MAX_WATCHED: Final = 1024
"""The most networks that a worker watches, the most sessions, and the most tokens."""
FRESH_S: Final = 1.0
"""How long a count from Redis is used, in seconds."""
WATCHED_FROM: Final = 0.5
"""A caller that owes more than this part of its burst is watched until it owes half of that."""
MAX_DEBT_S: Final = 10.0
"""The most that one can owe beyond its burst, because several workers let it."""

_CLASSES: Final = 5
_MINUTE_S: Final = 60
_ROUNDING_S: Final = 1e-6
"""Sums of times are not exact."""
_IPV6: Final = 1 << 130
"""Keeps the keys of IPv6 networks apart from those of IPv4."""


Key = int | str | bytes
"""A network with its class, the id of a session, or the name of a token."""


class _Tally:
    """What is known of all networks, of all sessions, or of all tokens."""

    __slots__ = ("paid_at", "watched")

    def __init__(self, paid_at: Cache[Key, float]) -> None:
        self.paid_at = paid_at
        self.watched: dict[Key, Watched] = {}


class _Limit(NamedTuple):
    """A limit: its position among those of networks, the seconds that are owed for each request,
    the most that may be owed, and where it is counted."""

    at: int
    each_s: float
    burst_s: float
    tally: _Tally


@dataclass(slots=True)
class Watched:
    """A network, session or token that several workers may limit together. ``paid_at_s`` is when it
    will have paid for what all have let it take, as Redis said at ``heard_s``; None before.
    ``pending_s`` is what it has taken here since, in seconds of the limit."""

    which: RateLimit
    key: Key
    paid_at_s: float = 0.0
    heard_s: float | None = None
    pending_s: float = 0.0

    @property
    def name(self) -> bytes:
        """What names it, in all workers alike."""
        key = self.key
        if isinstance(key, int):
            told = b"%x" % key
        else:
            told = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
        return self.which.encode("ascii") + b" " + told


class RateLimits:
    """The limits of one worker. Times are in monotonic seconds."""

    def __init__(self, settings: RateSettings, workers: Callable[[], int]) -> None:
        """``workers`` gives the number of live workers."""
        self._workers = workers
        self._networks = _Tally(Cache(RATES))
        self._sessions = _Tally(Cache(SESSION_RATES))
        self._tokens = _Tally(Cache(TOKEN_RATES))
        self.configure(settings)

    def configure(self, settings: RateSettings) -> None:
        """Use a new config."""
        sessions = settings.new_sessions_per_min
        bounds: dict[RateLimit, tuple[float, int]] = {
            "manifests": (settings.manifests_per_s, settings.manifests_burst),
            "decisions": (settings.decisions_per_s, settings.decisions_burst),
            "other": (settings.other_per_s, settings.other_burst),
            "new_sessions": (sessions / _MINUTE_S, sessions),
            "steering": (settings.manifests_per_s, settings.manifests_burst),
            "session": (settings.session_per_s, settings.session_burst),
            "token": (settings.token_per_s, settings.token_burst),
        }
        self._limits = {
            which: _Limit(at, 1 / rate, burst / rate, self._tally_of(which)) if rate else None
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
        key = self.network(client) * _CLASSES + limit.at
        wait_s = self._take(limit, which, key, now_s, amount)
        return 0.0 if wait_s and self.is_exempt(client) else wait_s

    def take_one(self, which: Literal["session", "token"], name: Key, now_s: float) -> float:
        """Count one request, or asset, of the session or token with this name, as :meth:`take`
        counts those of a client network. ``exempt`` networks are not known here."""
        limit = self._limits[which]
        return 0.0 if limit is None else self._take(limit, which, name, now_s, 1)

    def _take(self, limit: _Limit, which: RateLimit, key: Key, now_s: float, amount: int) -> float:
        _, each_s, burst_s, tally = limit
        paid_at = tally.paid_at.get(key)
        before_s = 0.0 if paid_at is None or paid_at <= now_s else paid_at - now_s
        workers = self._workers()
        owed_s = before_s + amount * each_s * workers
        if owed_s <= burst_s * WATCHED_FROM:
            tally.paid_at.put(key, now_s + owed_s)
            return 0.0
        watched = _watch(tally, which, key, before_s / workers)
        wait_s = owed_s - burst_s
        if (
            watched is not None
            and watched.heard_s is not None
            and now_s < watched.heard_s + FRESH_S
        ):
            others_s = max(0.0, watched.paid_at_s - now_s)
            wait_s = others_s + watched.pending_s + amount * each_s - burst_s
        if wait_s > _ROUNDING_S:
            return wait_s
        tally.paid_at.put(key, now_s + min(owed_s, burst_s))
        if watched is not None:
            watched.pending_s += amount * each_s
        return 0.0

    def charge(self, which: RateClass, client: Address, now_s: float, amount: int) -> None:
        """Count what a client gets although it is more than it may ask for: it waits longer for
        the next."""
        limit = self._limits[which]
        if limit is not None and not self.is_exempt(client):
            key = self.network(client) * _CLASSES + limit.at
            self._charge(limit, which, key, now_s, amount)

    def charge_one(
        self, which: Literal["session", "token"], name: Key, now_s: float, amount: int
    ) -> None:
        """Count what a session or token gets, as :meth:`charge` does."""
        limit = self._limits[which]
        if limit is not None:
            self._charge(limit, which, name, now_s, amount)

    def _charge(self, limit: _Limit, which: RateLimit, key: Key, now_s: float, amount: int) -> None:
        _, each_s, burst_s, tally = limit
        workers = self._workers()
        before_s = max(0.0, (tally.paid_at.get(key) or 0.0) - now_s)
        owed_s = before_s + amount * each_s * workers
        tally.paid_at.put(key, now_s + owed_s)
        watched = tally.watched.get(key)
        if watched is None and owed_s > burst_s * WATCHED_FROM:
            watched = _watch(tally, which, key, before_s / workers)
        if watched is not None:
            watched.pending_s += amount * each_s

    def watched(self, most: int) -> list[Watched]:
        """Up to ``most`` that are watched, divided among networks, sessions and tokens where there
        are any; those whose counts from Redis are oldest come first."""
        tallies = [each for each in (self._networks, self._sessions, self._tokens) if each.watched]
        return [
            one for tally in tallies for one in islice(tally.watched.values(), most // len(tallies))
        ]

    def most_owed_s(self, which: RateLimit) -> float:
        """The most seconds that one may owe all workers together."""
        limit = self._limits[which]
        return MAX_DEBT_S if limit is None else limit.burst_s + MAX_DEBT_S

    def told(
        self,
        counted: Sequence[Watched],
        sent_s: Sequence[float],
        owed_s: Sequence[float],
        now_s: float,
    ) -> None:
        """Redis has counted ``sent_s`` for each that was watched, which now owe ``owed_s``. Those
        that ask for little are watched no longer."""
        for one, sent, owed in zip(counted, sent_s, owed_s, strict=True):
            one.pending_s -= sent
            one.paid_at_s, one.heard_s = now_s + owed, now_s
            tally = self._tally_of(one.which)
            tally.watched.pop(one.key, None)
            limit = self._limits[one.which]
            here_s = (tally.paid_at.get(one.key) or 0.0) - now_s
            if limit is not None and max(owed, here_s) > limit.burst_s * WATCHED_FROM / 2:
                tally.watched[one.key] = one  # behind the others

    def _tally_of(self, which: RateLimit) -> _Tally:
        if which == "session":
            return self._sessions
        return self._tokens if which == "token" else self._networks


def _watch(tally: _Tally, which: RateLimit, key: Key, owed_s: float) -> Watched | None:
    """One as it is watched; None when too many are. ``owed_s`` is what it owed here before, in
    seconds of the limit."""
    found = tally.watched.get(key)
    if found is None and len(tally.watched) < MAX_WATCHED:
        found = tally.watched[key] = Watched(which, key, pending_s=owed_s)
    return found
