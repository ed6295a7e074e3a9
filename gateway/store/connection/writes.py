"""How do many small writes become few? Those of a few milliseconds leave as one command.

A write on its own costs the worker some 20 to 40 µs: packing, a future, a timer, a reply. A hundred
of them in one script cost little more than two. A name that is written again meanwhile is written
once, with its last value.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.store.connection.protocol import Script

DELAY_S = 0.005
"""So long may a write wait for others; what a worker that is killed may lose besides."""
MAX_WRITES = 128
MAX_BYTES = 512 * 1024
"""A batch that reaches either leaves at once."""

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
    """A value to be kept for ``ttl_ms``; ``name`` is the operation's, ``asked_at`` loop time."""

    name: str
    value: bytes
    ttl_ms: int
    asked_at: float


def words_of(writes: Mapping[bytes, Write]) -> tuple[bytes, ...]:
    """What follows the script in the command: the number of keys, keys, values with times."""
    words = [b"%d" % len(writes), *writes]
    for write in writes.values():
        words += (write.value, b"%d" % write.ttl_ms)
    return tuple(words)
