"""Who probes the edges, and what was found? A lease and one value in Redis, shared by all workers.

One worker holds the lease, renews it while it lives, and releases it when it stops; only the holder
may write the findings. Each worker asks for the lease and reads the findings in one step, so that a
change of holders leaves no gap.

The value is JSON: a list ``[edge, target, state, since, returned, falls, why, first, last, seen]``
for each edge that is not simply up (``gateway.edge.health.is_default``); the last three are the
position of a live playlist. ``target`` is a hash of what was probed: findings about an edge's old
URL do not apply to its new one.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from gateway.edge.health import HealthRecord, HealthState
from gateway.edge.live import LivePosition
from gateway.store.connection.keys import HEALTH_LEASE, HEALTH_STATES
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
MAX_WHY_CHARS: Final = 200
MAX_NUMBER: Final = 2**53
_STATES: Final[Mapping[str, HealthState]] = {state: state for state in get_args(HealthState)}

CAMPAIGN = Script(
    "health_campaign",
    b"""
local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'table' then
  redis.call('DEL', KEYS[1])
  holder = false
end
local held = 0
if ARGV[1] ~= '' and (not holder or holder == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  held = 1
end
local states = redis.pcall('GET', KEYS[2])
if type(states) == 'table' then states = false end
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
        match await self._run(CAMPAIGN, token, b"%d" % LEASE_MS):
            case [int(held), bytes() | None as states]:
                return bool(held), states
            case reply:
                raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")

    async def publish(self, value: bytes) -> bool:
        """Write the findings; False when another worker holds the lease. Raises
        StoreUnavailable."""
        return await self._run(PUBLISH, self._token, value, b"%d" % STATES_TTL_MS) == 1

    async def release(self) -> None:
        """Release the lease, if it is held. Raises StoreUnavailable."""
        await self._run(RELEASE, self._token)

    async def _run(self, script: Script, *words: bytes) -> RedisReply:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._commands.run(script, _KEYS, words)
        except TimeoutError:
            raise StoreUnavailable(Trouble.TIMEOUT) from None


def encode_findings(findings: Mapping[str, Finding]) -> bytes:
    """Serialise findings by edge id."""
    rows = [
        [
            edge_id,
            finding.target,
            finding.health.state,
            _rounded(finding.health.since_s),
            _rounded(finding.health.returned_s),
            finding.health.falls,
            finding.health.why[:MAX_WHY_CHARS],
            *(
                (None, None, None)
                if finding.head is None
                else (finding.head.first, finding.head.last, _rounded(finding.head.since_s))
            ),
        ]
        for edge_id, finding in sorted(findings.items())
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def decode_findings(value: bytes) -> dict[str, Finding] | None:
    """Parse what :func:`encode_findings` wrote; None for anything else."""
    if len(value) > MAX_BYTES:
        return None
    try:
        rows = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    found = {}
    for row in rows:
        match row:
            case [str(edge_id), int(target), str(state), since, returned, int(falls), str(why),
                  first, last, seen] if state in _STATES and len(why) <= MAX_WHY_CHARS:  # fmt: skip
                pass
            case _:
                return None
        numbers = (target, falls, since, returned, first, last, seen)
        if not all(map(_is_number, numbers)) or not why.isprintable():
            return None
        head = None
        if first is not None and last is not None and seen is not None:
            head = LivePosition(int(first), int(last), float(seen))
        health = HealthRecord(_STATES[state], why, since_s=since, returned_s=returned, falls=falls)
        found[edge_id] = Finding(target, health, head)
    return found


def _is_number(value: object) -> bool:
    """Whether ``value`` is None or a number within safe bounds."""
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1 <= value <= MAX_NUMBER  # false for NaN, too


def _rounded(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s, 3)
