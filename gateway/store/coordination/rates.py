"""What have all workers together let a client network take, or a session, or a token?

Redis keeps one number for each that asks for much: when it will have paid for what it took, by
Redis's own clock (:mod:`gateway.play.rate_limits`). One script counts for many in one round trip.
Its keys are macs, from which nobody can tell a network, a session or a token.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.store.connection.keys import rate_key
from gateway.store.connection.protocol import Commands, Script
from gateway.store.garbage import found_garbage

_US: Final = 1_000_000

# KEYS: what is counted. ARGV: for each of them what it took and the most that it may owe, in µs.
# Returns what each owes. A value that is no number, or of another type, counts as nothing.
COUNT: Final = Script(
    "count_rates",
    b"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed = {}
for at, key in ipairs(KEYS) do
  local found = redis.pcall('GETRANGE', key, 0, 31)
  local before = type(found) == 'string' and tonumber(found) or now
  local most = tonumber(ARGV[2 * at])
  if not (before > now) then before = now end
  local left = math.min(before - now + ARGV[2 * at - 1], most)
  if left > 0 then
    redis.call('SET', key, string.format('%.0f', now + left), 'PX', math.ceil(left / 1000))
  end
  owed[at] = math.ceil(left)
end
return owed
""",
)


class Taken(NamedTuple):
    """What one has taken, and the most that it may owe, in seconds. ``name`` identifies it and does
    not reveal it."""

    name: bytes
    took_s: float
    most_s: float


async def count(redis: Commands, taken: Sequence[Taken]) -> list[float] | None:
    """What each owes after it took this, in seconds; None for a malformed reply. Raises
    StoreUnavailable."""
    words: list[bytes] = []
    for one in taken:
        words += (b"%d" % round(one.took_s * _US), b"%d" % round(one.most_s * _US))
    reply = await redis.run(COUNT, [rate_key(one.name) for one in taken], words)
    if isinstance(reply, list) and len(reply) == len(taken):
        owed = [value / _US for value in reply if isinstance(value, int)]
        if len(owed) == len(taken):
            return owed
    found_garbage("rates", "an unexpected reply")
    return None
