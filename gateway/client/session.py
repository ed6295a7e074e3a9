"""What is stored about a session between its requests? Its speed, the edges it plays from, and how
its player says that playback goes.

A record is small and of bounded size: the last samples of the speed, and the edge of each of the
last ``MAX_PLACES`` assets. A player that requests a title again therefore stays on its edge, even
when that edge drains, is full, or takes fewer new viewers.

The stored form is ``0x02``, the number of bytes of the estimate, and the estimate. Then follow, for
each place, 8 bytes of the asset's hash, 4 bytes of whole seconds since 1970, the number of bytes of
the edge's id, and the id. When the player has reported its playback, the form is ``0x04``, the
number of bytes of the estimate, that of the playback (2 bytes), the estimate, the playback, and the
places. When its users are known, the form is ``0x05``, the number of bytes of the estimate, that
of the playback (2 bytes, 0 without one), the number of users, the estimate, the playback, 8 bytes
for each user, and the places. Previous formats (``0x01``, an estimate alone; ``0x03``, another form
of the playback) can be read as well.

Several workers may write the record of one session at the same time. Everything in it has its time,
so that what one has overwritten can be merged in again: :meth:`SessionRecord.merged`.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Self
from zlib import crc32

from gateway.client.cmcd_report import Report
from gateway.client.estimate import CLOCK_SKEW_S, EstimatorConfig, SessionEstimate
from gateway.client.playback import KnownNames, Playback

MAX_PLACES = 4
"""The most assets with a stored edge: the one that plays, the one loaded next, and those that the
viewer may return to."""
MAX_USERS = 4
"""The most pairs of a player and its network that a session remembers: a phone that changes between
Wi-Fi and a mobile network, and the parts of an app that name themselves differently."""
ASSET_BYTES = 8
MAX_EDGE_ID_BYTES = 255

_FORMAT = b"\x02"
_HEAD = struct.Struct(">cB")
_FORMAT_WITH_PLAYBACK = b"\x04"
_HEAD_WITH_PLAYBACK = struct.Struct(">cBH")
_PREVIOUS_WITH_PLAYBACK = b"\x03"
_PREVIOUS_HEAD_WITH_PLAYBACK = struct.Struct(">cBB")
_FORMAT_WITH_USERS = b"\x05"
_HEAD_WITH_USERS = struct.Struct(">cBHB")
_USER = struct.Struct(">IHH")
_PLACE = struct.Struct(f">{ASSET_BYTES}sIB")
_USER_SHIFT = 16
_EDGE_ID = re.compile(rb"[!-~]+")
NOTHING_MEASURED = SessionEstimate()
NOTHING_HEARD = Playback()


class SessionPlace(NamedTuple):
    """The edge from which a session plays an asset.

    ``asset`` is the asset's ``asset_name``, ``edge`` the edge's id, and ``time_s`` the time of
    writing in whole seconds since 1970.
    """

    asset: bytes
    edge: str
    time_s: int


class SessionUser(NamedTuple):
    """Who uses a session: 16 bits of a hash of its User-Agent, and 16 of one of its network.

    The session's name is the salt of both, and 256 IPv4 networks share each value, so nobody can
    tell a network from it. ``time_s`` is when the pair was first seen, in whole seconds since 1970.
    ``network`` is 0 when the address is unknown.
    """

    time_s: int
    player: int
    network: int

    @classmethod
    def of(cls, name: bytes, user_agent: str | None, prefix: str, now_s: float) -> Self:
        """Who uses the session with this ``session_name`` from a network (a ``viewer_prefix``,
        empty when unknown)."""
        return cls(int(now_s), *user_hashes(name, user_agent, prefix))

    def is_like(self, other: "SessionUser") -> bool:
        """Whether the player or the network is the same."""
        return self.player == other.player or (self.network == other.network != 0)


def user_hashes(name: bytes, user_agent: str | None, prefix: str) -> tuple[int, int]:
    """``player`` and ``network`` of a :class:`SessionUser`."""
    salt = int.from_bytes(name[:4])
    player = crc32((user_agent or "").encode("utf-8", "surrogatepass"), salt) >> _USER_SHIFT
    return player, crc32(prefix.encode("ascii"), salt) >> _USER_SHIFT if prefix else 0


def asset_name(asset: str) -> bytes:
    """A hash of ``ASSET_BYTES`` bytes that identifies an asset."""
    return blake2b(asset.encode("utf-8", "surrogatepass"), digest_size=ASSET_BYTES).digest()


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The state of one session; ``places`` are in the order in which they were written.

    ``playback`` is what the player has reported, None when nothing. ``users`` are the players and
    networks that use it, in the order in which they came. ``whole`` is False when the
    store could not be read. The store may have more than this record, which must then not overwrite
    it.
    """

    estimate: SessionEstimate = NOTHING_MEASURED
    places: tuple[SessionPlace, ...] = ()
    whole: bool = True
    playback: Playback | None = None
    users: tuple[SessionUser, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether nothing is known of the session."""
        return not (self.users or self.places or self.estimate.samples or self.playback)

    def is_of(self, user: SessionUser) -> bool:
        """Whether the session is this user's: the player or the network is that of an earlier one,
        or none is known."""
        return not self.users or any(map(user.is_like, self.users))

    def has_user(self, player: int, network: int) -> bool:
        """Whether this very pair is known."""
        for user in self.users:  # noqa: SIM110 - half the cost of any()
            if user[1] == player and user[2] == network:
                return True
        return False

    def used_by(self, user: SessionUser) -> Self:
        """This record with one more user; the same object when the pair is known."""
        if self.has_user(user.player, user.network):
            return self
        users = (*self.users[1 - MAX_USERS :], user)
        return type(self)(self.estimate, self.places, self.whole, self.playback, users)

    def edge_of(self, asset: str) -> str | None:
        """The id of the edge from which this session plays ``asset``; None when unknown."""
        if not self.places:
            return None
        return self.edge_named(asset_name(asset))

    def edge_named(self, name: bytes) -> str | None:
        """Like ``edge_of``, by the asset's ``asset_name``."""
        for place in self.places:
            if place.asset == name:
                return place.edge
        return None

    def measured(self, estimate: SessionEstimate) -> Self:
        """This record with another speed estimate."""
        return type(self)(estimate, self.places, self.whole, self.playback, self.users)

    def heard(self, reports: Sequence[Report], now_s: float, known: KnownNames) -> Self:
        """This record after reports of the player (:meth:`Playback.heard`). The same object when
        they say nothing new."""
        before = self.playback or NOTHING_HEARD
        playback = before.heard(reports, now_s, known)
        if playback is before:
            return self
        return type(self)(self.estimate, self.places, self.whole, playback, self.users)

    def placed(self, asset: str, edge: str, now_s: float, refresh_s: float) -> Self:
        """This record with ``asset`` on ``edge``.

        Returns the same object when it says so already and was written less than ``refresh_s``
        seconds ago, because then nothing needs to be written. An id that is too long for the stored
        form is ignored. Another edge is later than the one before, even if the clock of the worker
        that wrote that one is ahead.
        """
        if len(edge.encode()) > MAX_EDGE_ID_BYTES:
            return self
        name = asset_name(asset)
        known = next((place for place in self.places if place.asset == name), None)
        if known is not None and known.edge == edge:
            age_s = now_s - known.time_s
            if -CLOCK_SKEW_S <= age_s < refresh_s:
                return self
        time_s = int(now_s)
        if known is not None and known.edge != edge and known.time_s <= now_s + CLOCK_SKEW_S:
            time_s = max(time_s, known.time_s + 1)
        kept = [place for place in self.places if place.asset != name][1 - MAX_PLACES :]
        places = (*kept, SessionPlace(name, edge, time_s))
        return type(self)(self.estimate, places, self.whole, self.playback, self.users)

    def merged(self, other: "SessionRecord", now_s: float, config: EstimatorConfig) -> Self:
        """What both know: all samples, reports and users, and for each asset its last edge. What
        is later than ``now_s`` (seconds since 1970) by more than the clocks of gateways differ is
        dropped.

        Commutative, associative and idempotent.
        """
        latest_s = now_s + CLOCK_SKEW_S
        ours, theirs = self.estimate.until(latest_s), other.estimate.until(latest_s)
        return type(self)(
            ours.merged(theirs, config),
            _newest_places([*self.places, *other.places], latest_s),
            self.whole or other.whole,
            _both(self.playback, other.playback),
            _newest_users([*self.users, *other.users], latest_s),
        )

    def to_bytes(self) -> bytes:
        """The stored form (see the module); at most a few hundred bytes."""
        estimate = self.estimate.to_bytes()
        if self.users:
            playback = b"" if self.playback is None else self.playback.to_bytes()
            sizes = len(estimate), len(playback), len(self.users)
            users = [_USER.pack(*user) for user in self.users]
            parts = [_HEAD_WITH_USERS.pack(_FORMAT_WITH_USERS, *sizes), estimate, playback, *users]
        elif self.playback is None:
            parts = [_HEAD.pack(_FORMAT, len(estimate)), estimate]
        else:
            playback = self.playback.to_bytes()
            head = _HEAD_WITH_PLAYBACK.pack(_FORMAT_WITH_PLAYBACK, len(estimate), len(playback))
            parts = [head, estimate, playback]
        for place in self.places:
            edge = place.edge.encode()
            parts += (_PLACE.pack(place.asset, place.time_s, len(edge)), edge)
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what ``to_bytes`` wrote; None for anything else, as a store may hold garbage."""
        if data.startswith(_FORMAT_WITH_USERS):
            return cls._with_users(data)
        if data.startswith(_FORMAT_WITH_PLAYBACK):
            return cls._with_playback(data, _HEAD_WITH_PLAYBACK, Playback.from_bytes)
        if data.startswith(_PREVIOUS_WITH_PLAYBACK):
            return cls._with_playback(data, _PREVIOUS_HEAD_WITH_PLAYBACK, Playback.from_previous)
        if not data.startswith(_FORMAT):
            estimate = SessionEstimate.from_bytes(data)
            return None if estimate is None else cls(estimate)
        if len(data) < _HEAD.size:
            return None
        start = _HEAD.size + data[1]
        estimate = SessionEstimate.from_bytes(data[_HEAD.size : start])
        places = _places(data[start:])
        return None if estimate is None or places is None else cls(estimate, places)

    @classmethod
    def _with_users(cls, data: bytes) -> Self | None:
        if len(data) < _HEAD_WITH_USERS.size:
            return None
        _, size, playback_size, count = _HEAD_WITH_USERS.unpack_from(data)
        middle = _HEAD_WITH_USERS.size + size
        end = middle + playback_size
        after = end + count * _USER.size
        if not 0 < count <= MAX_USERS or len(data) < after:
            return None
        estimate = SessionEstimate.from_bytes(data[_HEAD_WITH_USERS.size : middle])
        playback = Playback.from_bytes(data[middle:end]) if playback_size else None
        users = tuple(SessionUser(*found) for found in _USER.iter_unpack(data[end:after]))
        places = _places(data[after:])
        distinct = len({user[1:] for user in users}) == count
        if estimate is None or places is None or not distinct or (playback_size and not playback):
            return None
        return cls(estimate, places, playback=playback, users=users)

    @classmethod
    def _with_playback(
        cls, data: bytes, head: struct.Struct, read: Callable[[bytes], Playback | None]
    ) -> Self | None:
        if len(data) < head.size:
            return None
        _, size, playback_size = head.unpack_from(data)
        middle = head.size + size
        end = middle + playback_size
        if len(data) < end:
            return None
        estimate = SessionEstimate.from_bytes(data[head.size : middle])
        playback = read(data[middle:end])
        places = _places(data[end:])
        if estimate is None or playback is None or places is None:
            return None
        return cls(estimate, places, playback=playback)


def _both(one: Playback | None, other: Playback | None) -> Playback | None:
    if one is None or other is None:
        return one or other
    return one.merged(other)


def _newest_places(places: Sequence[SessionPlace], latest_s: float) -> tuple[SessionPlace, ...]:
    """The last place of each asset, for the last ``MAX_PLACES`` assets."""
    newest: dict[bytes, SessionPlace] = {}
    for place in places:
        known = newest.get(place.asset)
        if place.time_s <= latest_s and (known is None or _order(place) > _order(known)):
            newest[place.asset] = place
    return tuple(sorted(newest.values(), key=_order)[-MAX_PLACES:])


def _newest_users(users: Sequence[SessionUser], latest_s: float) -> tuple[SessionUser, ...]:
    """The last ``MAX_USERS`` pairs, each with the last time at which a worker first saw it."""
    newest: dict[tuple[int, int], SessionUser] = {}
    for user in users:
        known = newest.get(user[1:])
        if user.time_s <= latest_s and (known is None or user > known):
            newest[user[1:]] = user
    return tuple(sorted(newest.values())[-MAX_USERS:])


def _order(place: SessionPlace) -> tuple[int, bytes, str]:
    return place.time_s, place.asset, place.edge


def _places(data: bytes) -> tuple[SessionPlace, ...] | None:
    found: list[SessionPlace] = []
    at = 0
    while at < len(data):
        if len(found) == MAX_PLACES or at + _PLACE.size > len(data):
            return None
        asset, time_s, size = _PLACE.unpack_from(data, at)
        edge = data[at + _PLACE.size : at + _PLACE.size + size]
        at += _PLACE.size + size
        if len(edge) != size or not _EDGE_ID.fullmatch(edge):
            return None
        found.append(SessionPlace(asset, edge.decode("ascii"), time_s))
    distinct = len({place.asset for place in found}) == len(found)
    return tuple(found) if distinct else None
