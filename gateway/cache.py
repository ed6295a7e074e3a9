"""Which caches does a process hold, how large may each become, and what ends an entry?

Every cache of the gateway is a :class:`Cache` made from one of the :class:`CacheSpec` below, so
this page lists them all. ``docs/architecture.md`` shows the same table; a test compares the two. An
entry of one of the ``CACHES`` that is evicted costs time to compute again, and nothing else. The
``TALLIES`` use the same bounded map for what a worker has seen of its clients: an entry that is
evicted is forgotten.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """What a cache holds. ``capacity`` is a number of ``unit``, or the config key that sets it;
    ``key`` and ``ends`` say what an entry is found by and what ends it, besides being the least
    recently used."""

    name: str
    capacity: int | str
    unit: Literal["entries", "bytes"]
    key: str
    ends: str


CLIENTS = CacheSpec(
    "clients",
    16_384,
    "entries",
    "address of the connection, forwarding headers",
    "a new config; its place: a new GeoIP file",
)
"""The client's address, network and place. Players that are steered, or report, ask again within
seconds."""

PLAYERS = CacheSpec(
    "players",
    8_192,
    "entries",
    "User-Agent, client hints and Accept-Encoding",
    "a new config",
)
"""The player: device, hints, and the content coding that it prefers."""

SESSIONS = CacheSpec(
    "sessions",
    16_384,
    "entries",
    "session",
    "30 s, then Redis is asked again",
)
"""The record of a session: its speed, and the edge of each title."""

DIRECTORY_SOURCES = CacheSpec(
    "directory sources",
    10_000,
    "entries",
    "path below the source's root, format",
    "any change below the root, or a purge",
)
"""Parsed source manifests, and why a file cannot be served."""

ORIGIN_SOURCES = CacheSpec(
    "origin sources",
    "origin.memory_bytes",
    "bytes",
    "asset, format",
    "what the origin says of its freshness, within bounds, or a purge",
)
"""Copies of source manifests, parsed."""

ORIGIN_FAILURES = CacheSpec(
    "origin failures",
    8_192,
    "entries",
    "asset, format",
    "`origin.not_found_s` or `origin.failure_s`, or a purge",
)
"""Which assets the origin does not have, and why it gave no usable response. Players choose ids
freely, so these must not push out copies."""

LADDERS = CacheSpec(
    "ladders",
    8_192,
    "entries",
    "policy version, asset, source version, profile, rule, capabilities, request limits, start"
    "; of a client class: source version, rungs, limits",
    "nothing: a new config or source is a new key",
)
"""Which rungs of a ladder stay: one half of a decision. A ladder counts once more for each 64 rungs
that stay."""

RANKINGS = CacheSpec(
    "rankings",
    16_384,
    "entries",
    "fleet epoch, place cell, point within the place",
    "nothing: a new fleet is a new key",
)
"""Which edges serve a place, in tiers: the other half of a decision."""

PLAYLISTS = CacheSpec(
    "playlists",
    "limits.local_cache_bytes",
    "bytes",
    "source path and version, kept rungs, caps, URLs of the edge and the origin, query"
    " parameters that the source imports, steering offer, start rung, where a live MPD is asked"
    " for again",
    "nothing: every input is in the key",
)
"""Finished manifests with their entity tags and codings."""

EDGE_COOKIES = CacheSpec(
    "edge cookies",
    1_024,
    "entries",
    "an edge's url and folder, times of the signature; one cache for each table of `[[edges]]` that"
    " signs for CloudFront",
    "nothing: every input is in the key",
)
"""Signed cookies for CloudFront: an RSA signature takes a millisecond."""

RATES = CacheSpec(
    "rates",
    32_768,
    "entries",
    "class of routes, network of clients",
    "nothing: an unused budget refills",
)
"""How much a network of clients may still ask for."""

SESSION_RATES = CacheSpec(
    "rates of sessions",
    16_384,
    "entries",
    "session",
    "nothing: an unused budget refills",
)
"""How much a session may still ask for."""

TOKEN_RATES = CacheSpec(
    "rates of tokens",
    16_384,
    "entries",
    "`jti` of a token, hashed; without one, the digest of the token",
    "nothing: an unused budget refills",
)
"""How much the viewers with a token may still ask for."""

REPORTS_LEFT = CacheSpec(
    "reports left",
    16_384,
    "entries",
    "network of clients",
    "nothing: an unused budget refills",
)
"""How many CMCD reports a network of clients may still send."""

PROBES_LEFT = CacheSpec(
    "probes left",
    16_384,
    "entries",
    "bound, network of clients",
    "nothing: an unused budget refills",
)
"""How many probes a network of clients may still ask for."""

STEERED = CacheSpec(
    "steered sessions",
    16_384,
    "entries",
    "key of the session in its state",
    "nothing: an unused budget refills",
)
"""How often a session asks to be steered."""

SIGN_INS_LEFT = CacheSpec(
    "sign-ins left",
    4_096,
    "entries",
    "network of clients",
    "nothing: an unused budget refills",
)
"""How many refused credentials a network of clients may still send."""

NETWORK_SPEEDS = CacheSpec(
    "network speeds",
    4_096,
    "entries",
    "network, edge",
    "`steering.forget_s`",
)
"""What the viewers of a network measured on an edge: at most 16 of them."""

COUNTED_VIEWERS = CacheSpec(
    "counted viewers",
    16_384,
    "entries",
    "network of clients, class of devices",
    "a new window of priors",
)
"""Whose CMCD reports were counted in a network's prior in this window."""

EXPERIENCES = CacheSpec(
    "experiences",
    4_096,
    "entries",
    "network",
    "two windows without a report",
)
"""How the viewers of a network play from its edges, by their CMCD reports."""

COUNTED_SESSIONS = CacheSpec(
    "counted sessions",
    16_384,
    "entries",
    "session",
    "nothing: it only saves writing a sign of life again",
)
"""When a session that counts for its subject last gave a sign of life."""

SUBJECTS = CacheSpec(
    "subjects",
    16_384,
    "entries",
    "subject, or session",
    "`tokens.session_ends_after_s`",
)
"""The sessions of a subject, where the store has no Redis."""

TOKENS = CacheSpec(
    "tokens",
    16_384,
    "entries",
    "digest of a playback token",
    "new keys or a new config; its times are checked at each use",
)
"""What playback tokens allow whose signature was verified."""

REFUSED_TOKENS = CacheSpec(
    "refused tokens",
    1_024,
    "entries",
    "digest of a text that is no valid token",
    "30 s, new keys or a new config",
)
"""Why a text is no valid token."""

CACHES = (
    CLIENTS,
    PLAYERS,
    SESSIONS,
    DIRECTORY_SOURCES,
    ORIGIN_SOURCES,
    ORIGIN_FAILURES,
    LADDERS,
    RANKINGS,
    PLAYLISTS,
    EDGE_COOKIES,
    TOKENS,
    REFUSED_TOKENS,
)
"""What can be computed or read again."""

TALLIES = (
    RATES,
    SESSION_RATES,
    TOKEN_RATES,
    REPORTS_LEFT,
    PROBES_LEFT,
    STEERED,
    SIGN_INS_LEFT,
    NETWORK_SPEEDS,
    COUNTED_VIEWERS,
    EXPERIENCES,
    COUNTED_SESSIONS,
    SUBJECTS,
)
"""What a worker has seen of networks of clients."""


class Cache(Generic[K, V]):
    """A bounded map that evicts entries that were not used recently. Values must not be None.

    It keeps two generations. An entry that is put or found belongs to the young generation; when
    the young ones fill half of the capacity they become the old generation, and the previous old
    generation is dropped. A lookup costs one or two dict lookups, and no order of use is kept.
    """

    __slots__ = ("_half", "_old", "_weigh", "_weight", "_young", "spec")

    def __init__(
        self,
        spec: CacheSpec,
        capacity: int | None = None,
        weigh: Callable[[V], int] | None = None,
    ) -> None:
        """``capacity`` is needed where the config sets it. ``weigh`` gives the size of a value in
        the spec's unit; without it each counts as one."""
        if capacity is None:
            if isinstance(spec.capacity, str):
                raise ValueError(f"{spec.name}: the capacity is set by {spec.capacity}")
            capacity = spec.capacity
        self.spec = spec
        self._half = max(1, capacity // 2)
        self._weigh = weigh
        self._weight = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        """The number of entries. An entry that is in both generations counts twice."""
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """The value under ``key``; None when there is none."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep ``value`` under ``key``. A value heavier than half of the capacity is not kept."""
        if self._weigh is None and key in self._young:
            self._young[key] = value
            return
        weight = 1 if self._weigh is None else self._weigh(value)
        if weight > self._half:
            self.pop(key)
            return
        replaced = self._young.pop(key, None)
        if replaced is not None:
            self._weight -= 1 if self._weigh is None else self._weigh(replaced)
        if self._weight + weight > self._half:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[key] = value
        self._weight += weight

    def pop(self, key: K) -> None:
        """Forget ``key``."""
        self._old.pop(key, None)
        found = self._young.pop(key, None)
        if found is not None:
            self._weight -= 1 if self._weigh is None else self._weigh(found)

    def keys(self) -> list[K]:
        """Every key that is held, each once."""
        return list({**self._old, **self._young})

    def values(self) -> list[V]:
        """Every value that is held, each once. Does not mark them as used."""
        return list({**self._old, **self._young}.values())

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old, self._weight = {}, {}, 0
