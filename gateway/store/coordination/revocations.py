"""Revoked tokens, subjects and sessions in Redis.

One hash has an entry for each, by the hash of its name, and ``v``, a version that every writer
replaces. A reader that knows the version is sent nothing else. An entry is kept until the
revocation ends; one that was undone is kept as long, and marked. So a gateway that knows a
revocation and finds *no entry* concludes that Redis has lost it, and writes it back. The key
expires with the last entry, and each writer removes entries that have ended.

Redis's clock decides what has ended. Reading is one script that writes nothing, so it works on a
replica and on a full Redis.

An entry is ``<until> <since> <1, or 0 when undone> <who>``, with times in Unix seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from gateway.store.connection.keys import DIGEST_BYTES, REVOCATIONS, session_name
from gateway.store.connection.protocol import Commands, Script, StoreUnavailable, Trouble
from gateway.store.coordination.lua import NOW, OWN
from gateway.store.coordination.messages import RevocationsChanged, encode_message
from gateway.store.coordination.redis_bus import publish

MAX_REVOCATIONS: Final = 10_000
"""The most entries, those that were undone included."""
MAX_ENTRY_BYTES: Final = 512
MAX_DURATION_S: Final = 90 * 86_400
"""A revocation ends after 90 days at the latest; an entry that ends later is not ours."""
MAX_NAME_CHARS: Final = 1024
"""The longest name of a token or subject."""
MAX_WHO_CHARS: Final = 100
MAX_VERSION_BYTES: Final = 32
_CLOCKS_DIFFER_S: Final = 3600
_ENTRY: Final = re.compile(rb"([0-9]{1,12}) ([0-9]{1,12}) ([01]) ([^\x00-\x1f\x7f]{0,400})")
_CAPITAL_HEX: Final = re.compile(r"(?:[0-9A-F]{2})+")


class Revocable(StrEnum):
    """What can be revoked. The values are the options of ``gateway revoke``."""

    TOKEN = "token-id"  # noqa: S105  # an option, no password
    SUBJECT = "subject"
    SESSION = "session"


_LETTERS: Final = {Revocable.TOKEN: b"t", Revocable.SUBJECT: b"u", Revocable.SESSION: b"s"}
_KINDS: Final = {letter[0]: kind for kind, letter in _LETTERS.items()}
NAME_BYTES: Final = 1 + DIGEST_BYTES


def revoked_name(kind: Revocable, name: str) -> bytes:
    """What stands for a token, subject or session here: ``NAME_BYTES`` bytes that do not tell its
    name. The bytes of a ``cti`` may be in capital hexadecimal digits."""
    if kind is Revocable.SESSION:
        return revoked_session(session_name(name))
    if kind is Revocable.TOKEN and _CAPITAL_HEX.fullmatch(name):
        name = name.lower()
    data = name.encode("utf-8", "surrogatepass")
    digest = blake2b(data, digest_size=DIGEST_BYTES, person=kind.value.encode("ascii"))
    return _LETTERS[kind] + digest.digest()


def revoked_session(name: bytes) -> bytes:
    """The same for a session of which only its ``session_name`` is known."""
    return _LETTERS[Revocable.SESSION] + name


def kind_of(name: bytes) -> Revocable | None:
    """What a name stands for; None when :func:`revoked_name` cannot have made it."""
    return _KINDS.get(name[0]) if len(name) == NAME_BYTES else None


# ARGV: the version that is known, the most entries, the most bytes of one. The reply: Redis's time
# in s, the version, names and entries (1 when the version is known, 0 for too many), and the number
# of what is not ours.
READ = Script(
    "revocations_read",
    NOW
    + b"""
local now_s = math.floor(now / 1000)
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then return {now_s, '', {}, kind == 'none' and 0 or 1} end
local version = redis.call('HGET', KEYS[1], 'v') or ''
if #version > 32 then version = '' end
if version ~= '' and version == ARGV[1] then return {now_s, version, 1, 0} end
if redis.call('HLEN', KEYS[1]) > 2 * tonumber(ARGV[2]) then return {now_s, '', 0, 1} end
local garbage, found = 0, {}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  if #entries[i] == 21 and #entries[i + 1] <= tonumber(ARGV[3]) then
    found[#found + 1] = entries[i]
    found[#found + 1] = entries[i + 1]
  elseif entries[i] ~= 'v' then
    garbage = garbage + 1
  end
end
return {now_s, version, found, garbage}
""",
)

# ARGV: the most entries, the most bytes of one, the longest duration in s, whether only what is
# missing is written, then names and entries; an empty entry removes what is there. What has ended,
# or is not ours, is removed. Returns 1, or 0 when there is no room.
WRITE = Script(
    "revocations_write",
    NOW
    + OWN
    + b"""
own(KEYS[1], 'hash')
local now_s, most = now / 1000, tonumber(ARGV[1])
if redis.call('HLEN', KEYS[1]) > 100000 then redis.call('DEL', KEYS[1]) end
local before = redis.call('HGET', KEYS[1], 'v')
local latest, count = now_s, 0
local function until_of(text)
  if #text > tonumber(ARGV[2]) then return end
  local ends = tonumber(string.match(text, '^(%d+) %d+ [01] ') or 0)
  if ends > now_s and ends <= now_s + ARGV[3] + 60 then return ends end
end
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local ends = #entries[i] == 21 and until_of(entries[i + 1])
  if ends then
    latest, count = math.max(latest, ends), count + 1
  elseif entries[i] ~= 'v' then
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
local written = 1
for i = 5, #ARGV, 2 do
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
local version = string.format('%d-%06d', time[1], time[2])
if version == before then version = version .. '+' end
redis.call('HSET', KEYS[1], 'v', version)
redis.call('PEXPIRE', KEYS[1], math.ceil((latest - now_s) * 1000) + 1)
return written
""",
)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation as it is stored, with times in Unix seconds. ``undone``: it is no longer in
    force, and kept until it would have ended."""

    name: bytes
    since_s: int
    until_s: int
    who: str
    undone: bool = False

    def in_force(self, now_s: float) -> bool:
        """Whether it counts at ``now_s`` (Unix time)."""
        return not self.undone and now_s < self.until_s


@dataclass(frozen=True, slots=True)
class RevocationContents:
    """The entries at one moment by name, Redis's Unix time, the version, and the number of entries
    that are not ours. ``entries`` is None when the reader knows the version; ``too_many``: there
    are more than can be read."""

    entries: Mapping[bytes, bytes] | None
    now_s: int
    version: bytes
    garbage: int
    too_many: bool = False


async def read(commands: Commands, version: bytes = b"") -> RevocationContents:
    """Read everything that is newer than ``version``, in one round trip. Raises
    StoreUnavailable."""
    words = (version, b"%d" % MAX_REVOCATIONS, b"%d" % MAX_ENTRY_BYTES)
    match await commands.run(READ, (REVOCATIONS,), words):
        case [int(now_s), bytes(found_version), list(found), int(garbage)]:
            pairs = zip(found[::2], found[1::2], strict=False)
            entries = {
                name: entry
                for name, entry in pairs
                if isinstance(name, bytes) and isinstance(entry, bytes)
            }
            return RevocationContents(entries, now_s, found_version, garbage)
        case [int(now_s), bytes(found_version), int(known), int(garbage)]:
            return RevocationContents(None, now_s, found_version, garbage, too_many=not known)
        case reply:
            raise StoreUnavailable(Trouble.REJECTED, f"unexpected reply: {type(reply)}")


async def write(
    commands: Commands, entries: Mapping[bytes, bytes], *, only_missing: bool = False
) -> bool:
    """Write entries by name; with ``only_missing``, those that are there stay. An empty entry
    removes the one that is there. Removes also what has ended, and what is not ours. Returns False
    when there was no room for all. Raises StoreUnavailable."""
    words = [b"%d" % bound for bound in (MAX_REVOCATIONS, MAX_ENTRY_BYTES, MAX_DURATION_S)]
    words.append(b"%d" % only_missing)
    words += [word for pair in entries.items() for word in pair]
    return await commands.run(WRITE, (REVOCATIONS,), words) == 1


async def revoke(
    commands: Commands, kind: Revocable, name: str, for_s: int, who: str
) -> Revocation | None:
    """Revoke ``name`` for ``for_s`` seconds, and make every gateway read it at once. It takes the
    place of an earlier revocation of the same. None when there is no room for another. Raises
    ValueError for a name or duration that is not allowed, and StoreUnavailable."""
    checked_name(kind, name)
    if not 0 < for_s <= MAX_DURATION_S:
        allowed = f"allowed are up to {MAX_DURATION_S // 86_400} days"
        raise ValueError(f"{for_s} s is no duration of a revocation; {allowed}")
    now_s = (await read(commands)).now_s
    one = Revocation(revoked_name(kind, name), now_s, now_s + for_s, shown(who))
    if not await write(commands, {one.name: entry_of(one)}):
        return None
    await _announce(commands)
    return one


async def undo(commands: Commands, kind: Revocable, name: str, who: str) -> Revocation | None:
    """End the revocation of ``name``, and make every gateway read that at once. Returns what was in
    force, None when nothing was. Raises ValueError for a name that is not allowed, and
    StoreUnavailable."""
    checked_name(kind, name)
    key = revoked_name(kind, name)
    found = next((each for each in await known(commands) if each.name == key), None)
    if found is None:
        return None
    undone = Revocation(key, found.since_s, found.until_s, shown(who), undone=True)
    await write(commands, {key: entry_of(undone)})
    await _announce(commands)
    return found


async def known(commands: Commands) -> list[Revocation]:
    """What is in force, in the order of its beginning. Raises StoreUnavailable."""
    contents = await read(commands)
    found: list[Revocation] = []
    for name, entry in (contents.entries or {}).items():
        try:
            found.append(read_entry(name, entry, contents.now_s))
        except ValueError:
            continue  # gateways count it, and remove it
    in_force = [one for one in found if one.in_force(contents.now_s)]
    return sorted(in_force, key=lambda one: (one.since_s, one.name))


def checked_name(kind: Revocable, name: str) -> None:
    """Raises ValueError for what no token, subject or session is called."""
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise ValueError(
            f"a {kind} of {len(name)} characters; allowed are 1 to {MAX_NAME_CHARS} characters"
        )


def entry_of(one: Revocation) -> bytes:
    """The stored form."""
    return f"{one.until_s} {one.since_s} {int(not one.undone)} {one.who}".encode()


def read_entry(name: bytes, entry: bytes, now_s: float) -> Revocation:
    """Parse an entry. Raises ValueError for what :func:`entry_of` cannot have written, and for what
    ends later than any revocation may after ``now_s`` (Unix time)."""
    found = _ENTRY.fullmatch(entry)
    if found is None or kind_of(name) is None:
        raise ValueError("the revocation is malformed")
    until_s, since_s = int(found[1]), int(found[2])
    if not since_s < until_s <= now_s + MAX_DURATION_S + _CLOCKS_DIFFER_S:
        raise ValueError("the revocation ends later than any may")
    who = shown(found[4].decode("utf-8", "replace"))
    return Revocation(name, since_s, until_s, who, undone=found[3] == b"0")


def shown(text: str) -> str:
    """A text for people: its first printable characters."""
    return "".join(char for char in text[:MAX_WHO_CHARS] if char.isprintable())


async def _announce(commands: Commands) -> None:
    """Make every worker read again. A worker that misses the message does so within a second."""
    await publish(commands, "revocations", encode_message(RevocationsChanged()))
