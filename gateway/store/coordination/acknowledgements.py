"""Which workers have done what a message asked for? They acknowledge its token in Redis."""

from gateway.store.connection.keys import ACKNOWLEDGED
from gateway.store.connection.protocol import Commands, Script, StoreUnavailable

KEPT_S = 60
"""Seconds that acknowledgements are kept."""

ACKNOWLEDGE = Script(
    "acks_sign",
    b"""
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
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
    reply = await commands.ask("acks_read", b"SMEMBERS", _key(token))
    members = reply if isinstance(reply, list) else []
    return frozenset(
        member.decode("ascii", "replace") for member in members if isinstance(member, bytes)
    )


def _key(token: str) -> bytes:
    return ACKNOWLEDGED + token.encode()
