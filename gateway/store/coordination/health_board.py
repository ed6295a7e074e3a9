"""Who probes the edges, and what was found? A lease and one value in Redis, shared by all workers.

One worker holds the lease, renews it while it lives, and releases it when it stops; only the holder
may write the findings. Each worker asks for the lease and reads the findings in one step, so that a
change of holders leaves no gap.

The value is JSON: a list ``[edge, target, state, since, returned, falls, why, first, last, seen]``
for each edge that is not simply up (``gateway.edge.health.is_default``); the last three are the
position of a live playlist. Another value has all targets that are probed: gateways whose configs
or DNS servers differ may have edges that the holder does not have. ``target`` is a hash of what was
probed: findings about an edge's old URL do not apply to its new one. Times are Unix times. An entry
that cannot be read costs that entry alone.
"""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from gateway.clock import Clock
from gateway.edge.health import HealthRecord, HealthState
from gateway.edge.live import LivePosition
from gateway.store.connection.keys import HEALTH_COVERED, HEALTH_LEASE, HEALTH_STATES
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Script,
    StoreUnavailable,
    Trouble,
)

LEASE_MS: Final = 1500
"""A holder that has not renewed the lease for this long is dead."""

STATES_TTL_MS: Final = 60_000
"""Findings expire when they have not been written again for this long."""

DEADLINE_S: Final = 0.35
"""A Redis that takes longer, in seconds, counts as gone: every worker then probes by itself, which
is harmless."""

MAX_BYTES: Final = 4 << 20
"""A longer value is not read."""
MARK_BYTES: Final = 4
MAX_COVERED_BYTES: Final = 1 << 18
"""More targets are not read."""
MAX_WHY_CHARS: Final = 200
MAX_NUMBER: Final = 2**53
"""The largest time in seconds, and the largest count."""
MAX_TARGET: Final = 2**32 - 1
MAX_SEQUENCE: Final = 2**64 - 1
"""The largest media sequence number: a decimal-integer (RFC 8216bis, section 4.2)."""
_STATES: Final[Mapping[str, HealthState]] = {state: state for state in get_args(HealthState)}

CAMPAIGN = Script(
    "health_campaign",
    b"""
local holder = redis.pcall('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A lease of another type, or one that lasts longer than any may, is not ours: nobody would probe.
if type(holder) == 'table' or left == -1 or left > tonumber(ARGV[2]) then
  redis.call('DEL', KEYS[1])
  holder = false
end
local held = 0
if ARGV[1] ~= '' and (not holder or holder == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  held = 1
end
local length = redis.pcall('STRLEN', KEYS[2])
local states = false
if type(length) == 'number' and length > tonumber(ARGV[3]) then
  states = 'too long'
elseif type(length) == 'number' then
  states = redis.call('GET', KEYS[2])
end
return {held, states}
""",
)
PUBLISH = Script(
    "health_publish",
    b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
""",
)
COVERED = Script(
    "health_covered",
    b"""
local length = redis.pcall('STRLEN', KEYS[1])
if type(length) ~= 'number' or length > tonumber(ARGV[1]) then return false end
return redis.call('GET', KEYS[1])
""",
)
RELEASE = Script(
    "health_release",
    b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""",
)
_KEYS = (HEALTH_LEASE, HEALTH_STATES)


@dataclass(frozen=True, slots=True)
class Finding:
    """The findings about one edge: the probed ``target``, its health and its live head."""

    target: int
    health: HealthRecord
    head: LivePosition | None = None


class HealthBoard:
    """The lease and the findings, as one worker uses them. ``token`` is unique to it."""

    def __init__(self, commands: Commands, token: str) -> None:
        self._commands = commands
        self._token = token.encode()

    async def campaign(self, *, stand: bool) -> tuple[bool, bytes | None]:
        """Take or renew the lease if it is free (and if ``stand`` says that this worker wants it).
        Returns whether this worker holds it now, and the findings (:func:`decode_findings`). Raises
        StoreUnavailable.
        """
        token = self._token if stand else b""
        match await self._run(CAMPAIGN, token, b"%d" % LEASE_MS, b"%d" % MAX_BYTES):
            case [int(held), bytes() | None as states]:
                return bool(held), states
            case reply:
                raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")

    async def publish(self, value: bytes) -> bool:
        """Write the findings; False when another worker holds the lease. Raises
        StoreUnavailable."""
        return await self._run(PUBLISH, self._token, value, b"%d" % STATES_TTL_MS) == 1

    async def cover(self, targets: Collection[int]) -> None:
        """Write which targets this worker probes, if it holds the lease. Raises
        StoreUnavailable."""
        value = b"".join(target.to_bytes(MARK_BYTES) for target in sorted(targets))
        ttl_ms = b"%d" % STATES_TTL_MS
        await self._run(PUBLISH, self._token, value, ttl_ms, keys=(HEALTH_LEASE, HEALTH_COVERED))

    async def covered(self) -> frozenset[int] | None:
        """The targets that the holder of the lease probes; None when that is not known. Raises
        StoreUnavailable."""
        match await self._run(COVERED, b"%d" % MAX_COVERED_BYTES, keys=(HEALTH_COVERED,)):
            case bytes(value) if value and len(value) % MARK_BYTES == 0:
                starts = range(0, len(value), MARK_BYTES)
                return frozenset(int.from_bytes(value[at : at + MARK_BYTES]) for at in starts)
            case _:
                return None

    async def release(self) -> None:
        """Release the lease, if it is held. Raises StoreUnavailable."""
        await self._run(RELEASE, self._token)

    async def _run(
        self, script: Script, *words: bytes, keys: Sequence[bytes] = _KEYS
    ) -> RedisReply:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._commands.run(script, keys, words)
        except TimeoutError:
            raise StoreUnavailable(Trouble.TIMEOUT) from None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a value in Redis says: the findings ``by_edge``; the edges that have an ``unreadable``
    entry; and the number of entries that could not be read, with and without an edge."""

    by_edge: Mapping[str, Finding]
    unreadable: frozenset[str]
    faults: int


def encode_findings(findings: Mapping[str, Finding], clock: Clock) -> bytes:
    """Serialise findings by edge id. Their times are those of ``clock``."""
    rows = [
        [
            edge_id,
            finding.target,
            finding.health.state,
            _unix(finding.health.since_s, clock),
            _unix(finding.health.returned_s, clock),
            finding.health.falls,
            _printable(finding.health.why),
            *(
                (None, None, None)
                if finding.head is None
                else (finding.head.first, finding.head.last, _unix(finding.head.since_s, clock))
            ),
        ]
        for edge_id, finding in sorted(findings.items())
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def decode_findings(value: bytes, clock: Clock) -> Findings | None:
    """Parse what :func:`encode_findings` wrote; None when it is no list at all. Never raises."""
    if len(value) > MAX_BYTES:
        return None
    try:
        rows = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    found: dict[str, Finding] = {}
    unreadable: set[str] = set()
    faults = 0
    for row in rows:
        match row:
            case [str(edge_id), *fields]:
                finding = _finding(fields, clock)
                if finding is None:
                    unreadable.add(edge_id)
                else:
                    found[edge_id] = finding
            case _:
                finding = None
        faults += finding is None
    return Findings(found, frozenset(unreadable), faults)


def _finding(fields: Sequence[object], clock: Clock) -> Finding | None:
    """The finding of one entry, after its edge; None when any field is not as it should be."""
    match fields:
        case [int(target), str(state), since, returned, int(falls), str(why), *position] if (
            state in _STATES
            and len(why) <= MAX_WHY_CHARS
            and why.isprintable()
            and _is_count(target, MAX_TARGET)
            and _is_count(falls, MAX_NUMBER)
        ):
            pass
        case _:
            return None
    try:
        health = HealthRecord(
            _STATES[state],
            why,
            since_s=_own_time(since, clock),
            returned_s=_own_time(returned, clock),
            falls=falls,
        )
        return Finding(target, health, _position(position, clock))
    except ValueError:
        return None


def _position(fields: Sequence[object], clock: Clock) -> LivePosition | None:
    """The position of a live playlist, None without one. Raises ValueError."""
    match fields:
        case [None, None, None]:
            return None
        case [int(first), int(last), seen] if (
            _is_count(first, MAX_SEQUENCE)
            and type(last) is int
            and first - 1 <= last <= MAX_SEQUENCE
        ):
            since_s = _own_time(seen, clock)
            if since_s is not None:
                return LivePosition(first, last, since_s)
    raise ValueError("not a position")


def _is_count(value: int, most: int) -> bool:
    """Whether ``value`` is a whole number from 0 to ``most``; JSON's true is none."""
    return type(value) is int and 0 <= value <= most


def _own_time(unix_s: object, clock: Clock) -> float | None:
    """A Unix time as a time of ``clock``. Raises ValueError for anything else, except for None."""
    if unix_s is None:
        return None
    if isinstance(unix_s, bool) or not isinstance(unix_s, int | float):
        raise ValueError("not a number")  # noqa: TRY004  # one error for what cannot be read
    if not 0 <= unix_s <= MAX_NUMBER:  # NaN, too
        raise ValueError("not a time")
    return clock.from_unix(unix_s)


def _unix(at: float | None, clock: Clock) -> float | None:
    return None if at is None else round(clock.to_unix(at), 3)


def _printable(why: str) -> str:
    """A reason as :func:`decode_findings` accepts it."""
    cut = why[:MAX_WHY_CHARS]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)
