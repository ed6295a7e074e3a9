"""How do many small writes become few? The writes of a few milliseconds are sent as one command.

A single write costs the worker 20 to 40 µs: packing, a future, a timer, a reply. A hundred in one
script cost little more than two. A name that is written twice is sent once, with its last value.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.store.connection.protocol import Script

DELAY_S = 0.005
"""Seconds that a write may wait for others; a worker that is killed may lose this much."""
MAX_WRITES = 128
MAX_BYTES = 512 * 1024
"""A batch that reaches either bound is sent at once."""

SET_ALL = Script(
    "set_all",
    b"""
for at = 1, #KEYS do
    redis.call('SET', KEYS[at], ARGV[2 * at - 1], 'PX', ARGV[2 * at])
end
return #KEYS
""",
)


class Write(NamedTuple):
    """A value to keep for ``ttl_ms``; ``name`` is the operation's, ``asked_at`` loop time."""

    name: str
    value: bytes
    ttl_ms: int
    asked_at: float


def words_of(writes: Mapping[bytes, Write]) -> tuple[bytes, ...]:
    """The arguments of the script: number of keys, keys, values with their TTLs."""
    words = [b"%d" % len(writes), *writes]
    for write in writes.values():
        words += (write.value, b"%d" % write.ttl_ms)
    return tuple(words)
