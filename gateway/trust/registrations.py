"""Which announcements of edges are genuine, and which of them are new? (Pure.)

An edge announces itself, or its end, with an entry in the store. Anyone who can write there may
have written it. An entry is a line and the facts behind it:

    <key id>.<Unix time in ms>.<mac in hex>
    <facts; empty when the edge leaves>

The mac covers the id of the edge, the time and the facts. An announcement that is older than one
that was seen before is refused, so nobody can put an old one back.
"""

import hmac
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from gateway.trust.keys import Purpose, SigningKey

CLOCKS_DIFFER_S: Final = 30.0
"""How far the clocks of edges and gateways may differ."""

MAX_HEADER_BYTES: Final = 32 + 1 + 15 + 1 + 32 + 1

_HEADER = re.compile(rb"([A-Za-z0-9_-]{1,32})\.([0-9]{1,15})\.([0-9a-f]{32})")
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an edge has announced ``at_ms`` (Unix time). ``facts`` are empty when it leaves.
    ``key_id`` is the id of the key that signed it."""

    at_ms: int
    facts: bytes
    key_id: str

    def left_s(self, ttl_s: float, now_s: float) -> float:
        """The seconds for which it counts from ``now_s`` (Unix time), when it lives ``ttl_s``."""
        return self.at_ms / 1000 + ttl_s + CLOCKS_DIFFER_S - now_s


def signed(key: SigningKey, edge_id: str, facts: bytes, at_ms: int) -> bytes:
    """An announcement as an entry of the store."""
    mac = key.mac(Purpose.EDGE_REGISTRATION, _covered(edge_id.encode(), at_ms, facts))
    return b"%b.%d.%b\n%b" % (key.id.encode(), at_ms, mac.hex().encode(), facts)


def next_at_ms(now_ms: int, last_ms: int) -> int:
    """When an edge's next announcement is dated: now, but after its last one, so that it counts
    even if the clock of its host has been set back since. Without the last one if that is so far
    ahead that no gateway has accepted it."""
    return max(now_ms, last_ms + 1) if last_ms <= now_ms + CLOCKS_DIFFER_S * 1000 else now_ms


def _covered(edge_id: bytes, at_ms: int, facts: bytes) -> bytes:
    """What the mac covers; lengths in front keep one field from running into the next."""
    return b"%d %b %d %b" % (len(edge_id), edge_id, at_ms, facts)


class AnnouncementVerifier:
    """The keys of announcements."""

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        """Retired ones verify nothing."""
        self._keys = {key.id: key for key in keys if key.status != "retired"}

    @property
    def key_ids(self) -> Collection[str]:
        """The ids of the keys that verify."""
        return self._keys.keys()

    def verify(self, edge_id: bytes, entry: bytes | None) -> Announcement:
        """The announcement in an entry. Raises ValueError for one that no key has signed."""
        header, _, facts = (entry or b"").partition(b"\n")
        found = _HEADER.fullmatch(header)
        if found is None:
            raise ValueError("an announcement of an edge is not signed")
        key = self._keys.get(found[1].decode())
        if key is None:
            raise ValueError("an announcement of an edge is signed with an unknown key")
        at_ms = int(found[2])
        mac = key.mac(Purpose.EDGE_REGISTRATION, _covered(edge_id, at_ms, facts))
        if not hmac.compare_digest(mac.hex().encode(), found[3]):
            raise ValueError("the signature of an announcement of an edge is wrong")
        return Announcement(at_ms, facts, key.id)


class NewestAnnouncements:
    """When each edge has announced itself last, as far as it was seen."""

    def __init__(self) -> None:
        self._at_ms: dict[bytes, int] = {}

    def refusal(self, edge_id: bytes, given: Announcement, now_s: float) -> str | None:
        """Why a genuine announcement does not count at ``now_s`` (Unix time); None if it does,
        and is the newest one then."""
        if given.at_ms / 1000 > now_s + CLOCKS_DIFFER_S:
            return "an announcement of an edge is dated in the future; compare the clocks"
        if given.at_ms < self._at_ms.get(edge_id, 0):
            return "an announcement of an edge is older than its last one"
        self._at_ms.pop(edge_id, None)  # the newest is last
        self._at_ms[edge_id] = given.at_ms
        if len(self._at_ms) > _REMEMBERED:
            del self._at_ms[next(iter(self._at_ms))]
        return None
