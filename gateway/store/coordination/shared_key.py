"""Which random key do the workers share when none is configured?

The first worker writes its own; the others read it. Redis may lose it: the next worker that looks
writes the one that it uses, so that what was signed stays valid.
"""

from gateway.store.connection.keys import SHARED_KEY
from gateway.store.connection.protocol import Commands, Script, StoreUnavailable
from gateway.store.garbage import found_garbage

SECRET_BYTES = 32

# KEYS: the shared key. ARGV: the caller's. Anything that is no key is replaced.
_AGREE = Script(
    "agree_on_key",
    b"""
local found = redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1])
if type(found) == 'string' and #found == #ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
""",
)


async def agree(redis: Commands, mine: bytes) -> bytes | None:
    """The secret that the workers share: ``mine`` (``SECRET_BYTES`` bytes) when there is none yet.
    None when Redis cannot be asked."""
    try:
        reply = await redis.run(_AGREE, (SHARED_KEY,), (mine,))
    except StoreUnavailable:
        return None
    if isinstance(reply, bytes) and len(reply) == SECRET_BYTES:
        return reply
    found_garbage("key", "an unexpected reply")
    return None
