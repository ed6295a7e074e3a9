"""Which workers are alive, on this host and on others that share this Redis?

Each worker has an entry that expires, and renews it every two seconds. Redis's own clock decides
what has expired, so the clocks of hosts need not agree. While Redis cannot be asked, the last known
number counts. After Redis has lost all entries, the number stays until every worker has had time to
register again.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import SystemRandom
from typing import Any

from gateway.observe import metrics
from gateway.store.connection.keys import WORKER_FACTS, WORKERS
from gateway.store.connection.protocol import Commands, RedisReply, Script, StoreUnavailable
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.garbage import found_garbage
from gateway.untrusted import json_of

HEARTBEAT_S = 2.0
EXPIRY_S = 6.0
"""A worker that has not renewed its entry for this many seconds is dead."""

MAX_FACTS_BYTES = 1024
MAX_FAILING = 8
"""The most background tasks that an entry names."""
MAX_WORD_CHARS = 40
"""Of a version and of a task's name."""
MAX_PORT = 65535
MAX_TIME_S = 2**40
MAX_ID_CHARS = 64
MAX_HOST_CHARS = 255
MAX_WORKERS = 10_000
"""More are not believed: each worker's share of an edge would be nothing."""
MAX_PID = 2**31 - 1
LATEST = 10
"""An entry that expires later than in this many expiry times is not a worker's."""

_random = SystemRandom()

HEARTBEAT = Script(
    "presence_heartbeat",
    NOW
    + OWN
    + b"""
own(KEYS[1], 'zset')
own(KEYS[2], 'hash')
local function remove(from, to)
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'LIMIT', 0, 1000)
  for _, worker in ipairs(found) do
    redis.call('ZREM', KEYS[1], worker)
    redis.call('HDEL', KEYS[2], worker)
  end
  return #found
end
remove('-inf', now)
garbage = garbage + remove(string.format('(%.0f', now + ARGV[4] * ARGV[2]), '+inf')
local new = redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[2])
redis.call('PEXPIRE', KEYS[2], 10 * ARGV[2])
return {redis.call('ZCARD', KEYS[1]), new, garbage}
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
    NOW
    + b"""
local found = {}
local after, latest = string.format('(%.0f', now), string.format('%.0f', now + ARGV[1])
local living = redis.pcall('ZRANGEBYSCORE', KEYS[1], after, latest, 'LIMIT', 0, ARGV[2])
for _, worker in ipairs(living) do
  local size = #worker <= tonumber(ARGV[3]) and redis.pcall('HSTRLEN', KEYS[2], worker)
  local short = type(size) == 'number' and size <= tonumber(ARGV[4])
  found[#found + 1] = short and {worker, redis.call('HGET', KEYS[2], worker)} or 0
end
return found
""",
)
_KEYS = (WORKERS, WORKER_FACTS)


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """One worker process. ``policy`` is the policy version in use; ``started`` is Unix time.

    The others have defaults, as older workers do not send them: ``version`` is that of the package,
    ``port`` the players', ``loaded`` is when the config in force was loaded (Unix time), and
    ``refused`` says that the file on disk is not in force. ``failing`` are background tasks.
    ``store`` is why the worker cannot use the store for its players; empty when it can.
    """

    id: str
    host: str
    pid: int
    policy: str
    started: int
    version: str = ""
    port: int = 0
    loaded: int = 0
    refused: bool = False
    failing: tuple[str, ...] = ()
    store: str = ""


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
                with contextlib.suppress(StoreUnavailable):  # the last known number counts
                    await self._beat(self._commands)
                await asyncio.sleep(self._heartbeat_s * _random.uniform(0.8, 1.2))
        finally:
            await _leave(self._commands, self.id)

    async def _beat(self, commands: Commands) -> None:
        """Renew the entry and count. Raises StoreUnavailable."""
        me = self._me()
        words = (
            me.id.encode(),
            b"%d" % (self._expiry_s * 1000),
            json.dumps(asdict(me)).encode(),
            b"%d" % LATEST,
        )
        match await commands.run(HEARTBEAT, _KEYS, words):
            case [int(found), int(new), int(garbage)]:
                if garbage:
                    found_garbage("presence", "no time, or a key of another type", garbage)
                now = asyncio.get_running_loop().time()
                if new:  # Redis had no entry of ours, so it may lack others, too
                    self._holds_until = now + self._expiry_s
                if found > self._count or now >= self._holds_until:
                    self._count = min(max(1, found), MAX_WORKERS)
                    metrics.WORKERS.set(self._count)
            case _:
                found_garbage("presence", "an unexpected reply")


async def live_workers(commands: Commands) -> list[LiveWorker]:
    """All live workers. Raises StoreUnavailable."""
    latest_ms = LATEST * EXPIRY_S * 1000
    bounds = (latest_ms, MAX_WORKERS, MAX_ID_CHARS, MAX_FACTS_BYTES)
    reply = await commands.run(LIVING, _KEYS, [b"%d" % bound for bound in bounds])
    found = [_worker(entry) for entry in (reply if isinstance(reply, list) else ())]
    return [worker for worker in found if worker is not None]


def _worker(entry: RedisReply) -> LiveWorker | None:
    """Parse one entry; None when it is malformed."""
    fields: object = None
    worker_id = ""
    match entry:
        case [bytes(found), bytes(facts)]:
            worker_id = found.decode("ascii", "replace")
            with contextlib.suppress(ValueError):
                fields = json_of(facts, MAX_FACTS_BYTES)
        case _:
            pass
    match fields:
        case {
            "host": str(host),
            "pid": int(pid),
            "policy": str(policy),
            "started": int(started),
        } if (
            0 <= started <= MAX_TIME_S
            and all(text.isprintable() and len(text) <= MAX_HOST_CHARS for text in (host, policy))
            and worker_id.isprintable()
            and 0 <= pid <= MAX_PID
        ):
            return LiveWorker(worker_id, host, pid, policy, started, **_more(fields))
        case _:
            found_garbage("presence", "not a worker")
            return None


def _more(fields: object) -> dict[str, Any]:
    """What newer workers add to their entry. A member that is not of its form is left out."""
    found: dict[str, Any] = {}
    if not isinstance(fields, dict):
        return found
    if isinstance(version := fields.get("version"), str) and _is_word(version):
        found["version"] = version
    port, loaded = fields.get("port"), fields.get("loaded")
    if isinstance(port, int) and 0 <= port <= MAX_PORT:
        found["port"] = port
    if isinstance(loaded, int) and 0 <= loaded <= MAX_TIME_S:
        found["loaded"] = loaded
    if isinstance(refused := fields.get("refused"), bool):
        found["refused"] = refused
    if isinstance(failing := fields.get("failing"), list):
        names = [name for name in failing if isinstance(name, str) and _is_word(name)]
        found["failing"] = tuple(names[:MAX_FAILING])
    if isinstance(store := fields.get("store"), str) and _is_word(store):
        found["store"] = store
    return found


def _is_word(text: str) -> bool:
    return text.isprintable() and len(text) <= MAX_WORD_CHARS


async def _leave(commands: Commands, worker_id: str) -> None:
    try:
        await commands.run(LEAVE, _KEYS, (worker_id.encode(),))
    except StoreUnavailable:
        return  # the entry expires by itself
