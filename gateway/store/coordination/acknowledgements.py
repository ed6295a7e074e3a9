"""Which workers have done what a message asked for? They acknowledge its token in Redis."""

from gateway.store.connection.keys import ACKNOWLEDGED
from gateway.store.connection.protocol import Commands, Script, StoreUnavailable
from gateway.store.coordination.lua import OWN

KEPT_S = 60
"""Seconds that acknowledgements are kept."""

MAX_WORKERS = 10_000
MAX_ID_BYTES = 64
"""More, or longer ids, are not read."""

ACKNOWLEDGE = Script(
    "acks_sign",
    OWN
    + b"""
own(KEYS[1], 'set')
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
""",
)
ACKNOWLEDGED_BY = Script(
    "acks_read",
    b"""
local found = {}
for _, worker in ipairs(redis.pcall('SRANDMEMBER', KEYS[1], ARGV[1])) do
  if #worker <= tonumber(ARGV[2]) then found[#found + 1] = worker end
end
return found
""",
)


async def acknowledge(commands: Commands, token: str, worker: str) -> None:
    """Acknowledge ``token`` as ``worker``, a worker's id. Never raises; a worker that fails to
    write counts as one that did not acknowledge."""
    try:
        await commands.run(ACKNOWLEDGE, (_key(token),), (worker.encode(), b"%d" % KEPT_S))
    except StoreUnavailable:
        return


async def acknowledged(commands: Commands, token: str) -> frozenset[str]:
    """The ids of all workers that have acknowledged ``token``. Raises StoreUnavailable."""
    bounds = (b"%d" % MAX_WORKERS, b"%d" % MAX_ID_BYTES)
    reply = await commands.run(ACKNOWLEDGED_BY, (_key(token),), bounds)
    members = reply if isinstance(reply, list) else []
    return frozenset(
        member.decode("ascii", "replace") for member in members if isinstance(member, bytes)
    )


def _key(token: str) -> bytes:
    return ACKNOWLEDGED + token.encode()
