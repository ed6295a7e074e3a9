"""Which workers are alive, on this host and on others that share this Redis?

Each worker has an entry that expires, and renews it every two seconds. Redis's own clock decides
what has expired, so the clocks of hosts need not agree. While Redis cannot be asked, the last known
number counts. After Redis has lost all entries, the number stays until every worker has had time to
register again.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import SystemRandom

from gateway.observe import metrics
from gateway.store.connection.keys import WORKER_FACTS, WORKERS
from gateway.store.connection.protocol import Commands, RedisReply, Script, StoreUnavailable

HEARTBEAT_S = 2.0
EXPIRY_S = 6.0
"""A worker that has not renewed its entry for this many seconds is dead."""

MAX_FACTS_BYTES = 1024

_random = SystemRandom()

_NOW = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

HEARTBEAT = Script(
    "presence_heartbeat",
    _NOW
    + b"""
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], worker)
  redis.call('HDEL', KEYS[2], worker)
end
local new = redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[2])
redis.call('PEXPIRE', KEYS[2], 10 * ARGV[2])
return {redis.call('ZCARD', KEYS[1]), new}
""",
)
LEAVE = Script(
    "presence_leave",
    b"""
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
""",
)
LIVING = Script(
    "presence_living",
    _NOW
    + b"""
local found = {}
local after = '(' .. string.format('%.0f', now)
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], after, '+inf')) do
  found[#found + 1] = {worker, redis.call('HGET', KEYS[2], worker)}
end
return found
""",
)
_KEYS = (WORKERS, WORKER_FACTS)


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """One worker process. ``policy`` is the policy version in use; ``started`` is Unix time."""

    id: str
    host: str
    pid: int
    policy: str
    started: int


class Presence:
    """Maintains this worker's entry and counts all workers."""

    def __init__(
        self,
        commands: Commands | None,
        me: Callable[[], LiveWorker],
        expected: int = 1,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        expiry_s: float = EXPIRY_S,
    ) -> None:
        """``commands`` is None without Redis. ``expected`` is the number of workers until Redis has
        been asked: those of this host."""
        self._commands = commands
        self._me = me
        self._count = max(1, expected)
        self._heartbeat_s = heartbeat_s
        self._expiry_s = expiry_s
        self._holds_until = 0.0
        metrics.WORKERS.set(self._count)

    @property
    def id(self) -> str:
        """This worker's id."""
        return self._me().id

    def count(self) -> int:
        """The number of live workers, this one included: at most about two seconds behind workers
        that started, and six behind workers that died."""
        return self._count

    async def run(self) -> None:
        """Renew this worker's entry until cancelled, then remove it."""
        if self._commands is None:
            await asyncio.Event().wait()
            return
        try:
            while True:
                try:
                    await self._beat(self._commands)
                except StoreUnavailable as error:
                    if error.detail.startswith("WRONGTYPE"):
                        await _clear(self._commands)
                await asyncio.sleep(self._heartbeat_s * _random.uniform(0.8, 1.2))
        finally:
            await _leave(self._commands, self.id)

    async def _beat(self, commands: Commands) -> None:
        """Renew the entry and count. Raises StoreUnavailable."""
        me = self._me()
        words = (me.id.encode(), b"%d" % (self._expiry_s * 1000), json.dumps(asdict(me)).encode())
        match await commands.run(HEARTBEAT, _KEYS, words):
            case [int(found), int(new)]:
                now = asyncio.get_running_loop().time()
                if new:  # Redis had no entry of ours, so it may lack others, too
                    self._holds_until = now + self._expiry_s
                if found > self._count or now >= self._holds_until:
                    self._count = max(1, found)
                    metrics.WORKERS.set(self._count)
            case _:
                metrics.STORE_GARBAGE.inc()


async def live_workers(commands: Commands) -> list[LiveWorker]:
    """All live workers. Raises StoreUnavailable."""
    reply = await commands.run(LIVING, _KEYS, ())
    found = [_worker(entry) for entry in (reply if isinstance(reply, list) else ())]
    return [worker for worker in found if worker is not None]


def _worker(entry: RedisReply) -> LiveWorker | None:
    """Parse one entry; None when it is malformed."""
    match entry:
        case [bytes(found), bytes(facts)] if len(facts) <= MAX_FACTS_BYTES:
            worker_id = found.decode("ascii", "replace")
        case _:
            metrics.STORE_GARBAGE.inc()
            return None
    try:
        fields = json.loads(facts)
    except ValueError:
        fields = None
    match fields:
        case {
            "host": str(host),
            "pid": int(pid),
            "policy": str(policy),
            "started": int(started),
        }:
            return LiveWorker(worker_id, host, pid, policy, started)
        case _:
            metrics.STORE_GARBAGE.inc()
            return None


async def _clear(commands: Commands) -> None:
    """Delete values of another type under our names; the next heartbeat starts afresh."""
    try:
        await commands.ask("presence_clear", b"DEL", *_KEYS)
    except StoreUnavailable:
        return  # the next heartbeat tries again


async def _leave(commands: Commands, worker_id: str) -> None:
    try:
        await commands.run(LEAVE, _KEYS, (worker_id.encode(),))
    except StoreUnavailable:
        return  # the entry expires by itself
