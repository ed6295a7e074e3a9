"""How do many small writes become few? The writes of a few milliseconds are sent as one command.

A single write costs the worker 20 to 40 µs: packing, a future, a timer, a reply. A hundred in one
script cost little more than two. A name that is written twice is sent once, with its last value.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.store.connection.protocol import MAX_SESSION_BYTES, RedisReply, Replaced, Script

DELAY_S = 0.005
"""Seconds that a write may wait for others; a worker that is killed may lose this much."""
MAX_WRITES = 128
MAX_BYTES = 512 * 1024
"""A batch that reaches either bound is sent at once."""

SET_ALL = Script(
    "set_all",
    b"""
local replaced, most = {}, ARGV[#ARGV]
for at = 1, #KEYS do
    local value, ttl_ms, told = ARGV[3 * at - 2], ARGV[3 * at - 1], ARGV[3 * at]
    if told == '1' then
        local before = redis.pcall('GETRANGE', KEYS[at], 0, most)
        replaced[#replaced + 1] = type(before) == 'string' and before or ''
    end
    redis.call('SET', KEYS[at], value, 'PX', ttl_ms)
end
return replaced
""",
)
"""Sets all keys. Returns the previous values of the keys whose writers asked for them."""


class Write(NamedTuple):
    """A value to keep for ``ttl_ms``; ``name`` is the operation's, ``asked_at`` loop time, and
    ``replaced`` is to be told the value before."""

    name: str
    value: bytes
    ttl_ms: int
    asked_at: float
    replaced: Replaced | None


def words_of(writes: Mapping[bytes, Write]) -> tuple[bytes, ...]:
    """The arguments of the script: number of keys, keys, for each the value, the TTL, and whether
    its previous value is returned; then the index of the last byte to return of such a value."""
    words = [b"%d" % len(writes), *writes]
    for write in writes.values():
        words += (write.value, b"%d" % write.ttl_ms, b"0" if write.replaced is None else b"1")
    return (*words, b"%d" % MAX_SESSION_BYTES)


def tell_replaced(writes: Mapping[bytes, Write], reply: RedisReply) -> None:
    """Hand out the values that the script returned."""
    told = [write.replaced for write in writes.values() if write.replaced is not None]
    if not isinstance(reply, list):
        return
    for replaced, before in zip(told, reply, strict=False):
        usable = isinstance(before, bytes) and 0 < len(before) <= MAX_SESSION_BYTES
        replaced(before if usable and isinstance(before, bytes) else None)
