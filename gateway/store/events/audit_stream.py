"""The audit log in Redis: a stream of entries of bounded number, to which entries are only added.

An entry is a JSON object. Each writer numbers its entries, and Redis keeps the last number of each
writer for an hour: a batch whose reply was late can be sent again, and nothing is there twice.
"""

from collections.abc import Sequence

from gateway.store.connection.keys import AUDIT_LOG, audit_once_key, audit_writer_key
from gateway.store.connection.protocol import (
    Commands,
    RedisReply,
    Script,
    StoreUnavailable,
    Trouble,
)
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.garbage import found_garbage

VERSION = b"1"
MAX_ENTRY_BYTES = 16 * 1024
"""A larger entry is not ours."""
MAX_PAGE = 200
"""The most entries of one read."""
MEMORY_OF_WRITERS_MS = 3_600_000
ONCE_MS = 10_000
"""How long an entry with a name stands for those of other writers, in ms."""

# KEYS: the stream, the writer's last number. ARGV: about the most entries of the stream, the
# version, the memory of writers (ms) and of names (ms), then for each entry its number, its JSON,
# and the key of its name or ''. A stream of another type is not ours, nor is one that ends in the
# future: nothing could be added to it.
_APPEND = Script(
    "put_audit",
    NOW
    + OWN
    + b"""
own(KEYS[1], 'stream')
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if newest[1] and tonumber(newest[1][1]:match('^%d+')) > now + 86400000 then
  redis.call('DEL', KEYS[1])
  garbage = garbage + 1
end
local text = redis.pcall('GETRANGE', KEYS[2], 0, 31)
local last = type(text) == 'string' and tonumber(text) or 0
for at = 5, #ARGV, 3 do
  local number, once = tonumber(ARGV[at]), ARGV[at + 2]
  if number > last then
    if once == '' or redis.call('SET', once, KEYS[2], 'NX', 'PX', ARGV[4])
        or redis.pcall('GET', once) == KEYS[2] and redis.call('PEXPIRE', once, ARGV[4]) then
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'v', ARGV[2], 'entry', ARGV[at + 1])
    end
    last = number
  end
end
redis.call('SET', KEYS[2], string.format('%.0f', last), 'PX', ARGV[3])
return garbage
""",
)

# KEYS: the stream. ARGV: the id to begin with, the most entries, the most bytes of one, '1' for the
# newest first. What is not ours has an empty text.
_READ = Script(
    "get_audit",
    b"""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' then return {} end
local found
if ARGV[4] == '1' then
  found = redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', ARGV[2])
else
  found = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
end
local entries = {}
for at, each in ipairs(found) do
  local text = ''
  for i = 1, #each[2], 2 do
    if each[2][i] == 'entry' and #each[2][i + 1] <= tonumber(ARGV[3]) then text = each[2][i + 1] end
  end
  entries[at] = {each[1], text}
end
return entries
""",
)


async def append(
    commands: Commands,
    writer: str,
    first: int,
    entries: Sequence[tuple[bytes, str]],
    max_length: int,
) -> None:
    """Add entries, of which the first has the number ``first`` among those of ``writer``. Sending
    them again is harmless. Raises StoreUnavailable; they may have been added nevertheless.

    Each comes with a name: of entries of several writers with the same name, those of one writer
    are added within ``ONCE_MS``. An empty name is none.
    """
    words = [b"%d" % max_length, VERSION, b"%d" % MEMORY_OF_WRITERS_MS, b"%d" % ONCE_MS]
    for number, (entry, once) in enumerate(entries, first):
        words += (b"%d" % number, entry, audit_once_key(once) if once else b"")
    if await commands.run(_APPEND, (AUDIT_LOG, audit_writer_key(writer)), words):
        found_garbage("audit", "a stream that is not ours")


async def read_before(
    commands: Commands, before: str | None, limit: int
) -> list[tuple[str, bytes]]:
    """The ids and JSON of up to ``limit`` entries, the newest first: those before the one with the
    id ``before``. Raises StoreUnavailable."""
    first = b"+" if before is None else b"(" + before.encode("ascii")
    return await _read(commands, first, limit, b"1")


async def read_after(commands: Commands, after: str, limit: int) -> list[tuple[str, bytes]]:
    """The same with the oldest first: those after the one with the id ``after``, which may also be
    a Unix time in ms."""
    return await _read(commands, b"(" + after.encode("ascii"), limit, b"0")


async def _read(
    commands: Commands, first: bytes, limit: int, newest: bytes
) -> list[tuple[str, bytes]]:
    words = (first, b"%d" % limit, b"%d" % MAX_ENTRY_BYTES, newest)
    reply = await commands.run(_READ, (AUDIT_LOG,), words)
    if not isinstance(reply, list):
        raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")
    return [each for each in map(_pair, reply) if each is not None]


def _pair(row: RedisReply) -> tuple[str, bytes] | None:
    match row:
        case [bytes(entry_id), bytes(entry)] if entry:
            return entry_id.decode("ascii", "replace"), entry
        case _:
            found_garbage("audit", "an entry that is not ours")
            return None
