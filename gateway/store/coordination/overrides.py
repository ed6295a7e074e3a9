"""Operators' overrides of steering in Redis (:mod:`gateway.edge.override`).

One hash has an entry of JSON for each override, by its id. An entry is kept until the override
ends; one that was cancelled is kept as long, and marked. So a gateway that knows an override and
finds *no entry* concludes that Redis has lost it, and writes it back. The key expires with the last
entry, and each writer removes entries that have ended.

Redis's clock decides what has ended. Reading is one script that writes nothing, so it works on a
replica and on a full Redis. Entries are returned unchecked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from gateway.client.asset import is_asset_prefix
from gateway.edge.override import WHOLE, Override
from gateway.store.connection.keys import EDGE_OVERRIDES
from gateway.store.connection.protocol import Commands, Script, StoreUnavailable, Trouble
from gateway.store.coordination.lua import NOW, OWN
from gateway.untrusted import json_of

MAX_OVERRIDES: Final = 100
"""The most entries, those that were cancelled included."""
MAX_ENTRY_BYTES: Final = 4096
MAX_DURATION_S: Final = 30 * 86_400
"""An override ends after 30 days at the latest; an entry that ends later is not ours."""
MAX_TEXT_CHARS: Final = 200
"""The longest ``who`` and ``why``."""
_MAX_ID_CHARS: Final = 255
_ID_CHARS: Final = frozenset("0123456789abcdef")

# ARGV: the most entries, the most bytes of one. The reply: Redis's time in s, ids and entries, or
# false for too many of them, and the number of what is not ours.
READ = Script(
    "overrides_read",
    NOW
    + b"""
local kind, garbage, found = redis.call('TYPE', KEYS[1]).ok, 0, {}
if kind == 'hash' then
  if redis.call('HLEN', KEYS[1]) > 2 * tonumber(ARGV[1]) then
    return {math.floor(now / 1000), false, 1}
  end
  local entries = redis.call('HGETALL', KEYS[1])
  for i = 1, #entries, 2 do
    if #entries[i] <= 32 and #entries[i + 1] <= tonumber(ARGV[2]) then
      found[#found + 1] = entries[i]
      found[#found + 1] = entries[i + 1]
    else
      garbage = garbage + 1
    end
  end
elseif kind ~= 'none' then
  garbage = 1
end
return {math.floor(now / 1000), found, garbage}
""",
)

# ARGV: the most entries, the most bytes of one, the longest duration in s, whether only what is
# missing is written, the digest of the entries as they were read (empty: whatever they are), then
# ids and entries; an empty entry removes what is there. What has ended, or is not ours, is removed.
# Returns 1, 0 when there is no room, or -1 when the entries have changed since they were read.
WRITE = Script(
    "overrides_write",
    NOW
    + OWN
    + b"""
own(KEYS[1], 'hash')
local now_s, most = now / 1000, tonumber(ARGV[1])
if redis.call('HLEN', KEYS[1]) > 100000 then redis.call('DEL', KEYS[1]) end
local entries = redis.call('HGETALL', KEYS[1])
if ARGV[5] ~= '' then
  local ours = {}
  for i = 1, #entries, 2 do
    if #entries[i] <= 32 and #entries[i + 1] <= tonumber(ARGV[2]) then
      ours[#ours + 1] = redis.sha1hex(entries[i]) .. redis.sha1hex(entries[i + 1])
    end
  end
  table.sort(ours)
  if redis.sha1hex(table.concat(ours)) ~= ARGV[5] then return -1 end
end
local latest, count = now_s, 0
local function until_of(text)
  if #text > tonumber(ARGV[2]) then return end
  local good, entry = pcall(cjson.decode, text)
  if not good or type(entry) ~= 'table' or type(entry.until_s) ~= 'number' then return end
  if entry.until_s > now_s and entry.until_s <= now_s + ARGV[3] + 60 then return entry.until_s end
end
for i = 1, #entries, 2 do
  local ends = #entries[i] <= 32 and until_of(entries[i + 1])
  if ends then
    latest, count = math.max(latest, ends), count + 1
  else
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
local written = 1
for i = 6, #ARGV, 2 do
  local ends, known = until_of(ARGV[i + 1]), redis.call('HGET', KEYS[1], ARGV[i])
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  elseif ends and not (known and ARGV[4] == '1') then
    if known or count < most then
      redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
      latest = math.max(latest, ends)
      if not known then count = count + 1 end
    else
      written = 0
    end
  end
end
redis.call('PEXPIRE', KEYS[1], math.ceil((latest - now_s) * 1000) + 1)
return written
""",
)


@dataclass(frozen=True, slots=True)
class OverrideEntry:
    """An override as it is stored. ``cancelled_by`` is None while nobody has cancelled it."""

    override: Override
    cancelled_by: str | None = None

    def in_force(self, now_s: float) -> bool:
        """Whether it moves sessions at ``now_s`` (Unix time)."""
        return self.cancelled_by is None and now_s < self.override.until_s


@dataclass(frozen=True, slots=True)
class OverrideContents:
    """The entries at one moment by id (None when there are too many to read), Redis's Unix time,
    and the number of entries that are not ours."""

    entries: Mapping[bytes, bytes] | None
    now_s: int
    garbage: int

    def digest(self) -> bytes:
        """Of what was read; empty if that is too much. Equal contents have equal ones, in every
        order."""
        if self.entries is None:
            return b""
        pairs = self.entries.items()
        parts = sorted(_sha1(key) + _sha1(entry) for key, entry in pairs)
        return _sha1(b"".join(parts))


class OverridesChanged(Exception):  # noqa: N818  (what happened, as StoreUnavailable)
    """The entries are no longer those that were read, so nothing was written."""


async def read(commands: Commands) -> OverrideContents:
    """Read everything in one round trip. Raises StoreUnavailable."""
    bounds = [b"%d" % MAX_OVERRIDES, b"%d" % MAX_ENTRY_BYTES]
    match await commands.run(READ, (EDGE_OVERRIDES,), bounds):
        case [int(now_s), list(found), int(garbage)]:
            pairs = zip(found[::2], found[1::2], strict=False)
            entries = {
                key: entry
                for key, entry in pairs
                if isinstance(key, bytes) and isinstance(entry, bytes)
            }
            return OverrideContents(entries, now_s, garbage)
        case [int(now_s), _, int(garbage)]:
            return OverrideContents(None, now_s, garbage)
        case reply:
            raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {reply!r}")


async def write(
    commands: Commands,
    entries: Mapping[bytes, bytes],
    *,
    only_missing: bool = False,
    since: OverrideContents | None = None,
) -> bool:
    """Write entries by id; with ``only_missing``, those that are there stay. An empty entry removes
    the one that is there. Removes also what has ended, and what is not ours. Returns False when
    there was no room for all. Raises StoreUnavailable, and :class:`OverridesChanged` when they are
    not as they were ``since`` they were read."""
    words = [b"%d" % bound for bound in (MAX_OVERRIDES, MAX_ENTRY_BYTES, MAX_DURATION_S)]
    words += [b"%d" % only_missing, b"" if since is None else since.digest()]
    words += [word for pair in entries.items() for word in pair]
    written = await commands.run(WRITE, (EDGE_OVERRIDES,), words)
    if written == -1:
        raise OverridesChanged
    return written == 1


def _sha1(data: bytes) -> bytes:
    """As Lua's ``redis.sha1hex``. It tells changes, and protects nothing."""
    return sha1(data, usedforsecurity=False).hexdigest().encode("ascii")


def entry_of(entry: OverrideEntry) -> bytes:
    """The stored form."""
    one = entry.override
    fields = {
        "from": one.source,
        "to": one.target,
        "low": one.low,
        "high": one.high,
        "since_s": one.since_s,
        "until_s": one.until_s,
        "who": one.who,
        "why": one.why,
        "cancelled_by": entry.cancelled_by,
    }
    if one.asset_prefix:
        fields["asset_prefix"] = one.asset_prefix
    return json.dumps(fields, ensure_ascii=False).encode()


def read_entry(key: bytes, entry: bytes, now_s: float) -> OverrideEntry:
    """Parse an entry. Raises ValueError for what :func:`entry_of` cannot have written, and for what
    ends later than any override may after ``now_s`` (Unix time)."""
    fields = json_of(entry, MAX_ENTRY_BYTES)
    match fields:
        case {
            "from": str(source),
            "to": str(target),
            "low": int(low),
            "high": int(high),
            "since_s": int(since_s),
            "until_s": int(until_s),
            "who": str(who),
            "why": str(why),
            "cancelled_by": str() | None as cancelled_by,
        } if (
            is_override_id(key.decode("ascii", "replace"))
            and _is_edge(source)
            and _is_edge(target)
            and 0 <= low < high <= WHOLE
            and 0 <= since_s < until_s <= now_s + MAX_DURATION_S + _CLOCKS_DIFFER_S
            and _is_prefix(fields.get("asset_prefix", ""))
        ):
            texts = shown(who), shown(why), fields.get("asset_prefix", "")
            one = Override(key.decode(), source, target, low, high, since_s, until_s, *texts)
            return OverrideEntry(one, None if cancelled_by is None else shown(cancelled_by))
        case _:
            raise ValueError("the override is malformed")


_CLOCKS_DIFFER_S: Final = 3600


def is_override_id(text: str) -> bool:
    """Whether an override can have that id: 8 hexadecimal digits."""
    return len(text) == 8 and _ID_CHARS.issuperset(text)  # noqa: PLR2004


def _is_edge(text: str) -> bool:
    return 0 < len(text) <= _MAX_ID_CHARS and text.isascii() and text.isprintable()


def _is_prefix(text: object) -> bool:
    return text == "" or (isinstance(text, str) and is_asset_prefix(text))


def shown(text: str) -> str:
    """A text for people: its first printable characters."""
    return "".join(char for char in text[:MAX_TEXT_CHARS] if char.isprintable())
