"""May this viewer play on a token, and how is that carried on without the token?

An :class:`Admission` is what counts of a verified token for one asset. Names are hashes, and the
token's text is gone. Players do not repeat a token with every request: a live MPD is asked for
again at its ``Location``, and steering at its ``RELOAD-URI``. These URLs carry the admission,
signed (:mod:`gateway.trust.keys`). It is refused when the token would be: it has the same end and
the same conditions, and knows what the config may ask of its token later.

Layout, big-endian: ``0x02``, asset (8 bytes), tag of the key (8), digest of the token (16), end in
Unix seconds (4, 0: none), when the token was issued (4, 0: not said), when the admission was given
(4), flags (2), the claims of the token that the config can require (1, as bits), height (2), kbit/s
(4), codec families and devices (2 each, as bits), sessions (2), the numbers of countries,
autonomous systems, networks and audiences (1 each), the names of the token, the subject and the
session (20 each, if the flags say so), how it may be renewed (lifetime, window and since when, 4
each, if the flags say so), the issuer and the tag of the renewal key (8 each, if the flags say so),
countries (2 each), autonomous systems (4 each), networks (version 1, prefix length 1, and 4 or 16),
audiences (8 each).
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeVar

from gateway.client.facts import DeviceKind, Limits
from gateway.reason import Reason, Step
from gateway.trust.tokens.key import TokenKey
from gateway.trust.tokens.protection import Protection, RequiredClaim
from gateway.trust.tokens.renewal import RenewalRules, RenewalTerms
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.verified import Address, Network, VerifiedToken
from manifests.codecs import CodecFamily

NAME_BYTES: Final = 20
"""The length of the hashed name of a token, subject or session."""
DIGEST_BYTES: Final = 16
MAX_LISTED: Final = 16
"""A longer list of countries, systems or networks is narrowed to where the viewer is."""

_FORMAT: Final = 2
_HEAD: Final = struct.Struct(">B8s8s16sIIIHBHIHHHBBBB")
_TAG_BYTES: Final = 8
GIVEN_STEP_S: Final = 60
"""When an admission was given is rounded up to this, so that a manifest stays as it is."""
_TOKEN, _SUBJECT, _SESSION, _COUNTRIES, _SYSTEMS, _NETWORKS, _DEVICES, _ANONYMOUS = (
    1 << bit for bit in range(8)
)
_HEIGHT, _KBPS, _CODECS, _COUNTED, _RENEWABLE, _ISSUER, _OF_SET, _RENEWED = (
    1 << bit for bit in range(8, 16)
)
_TERMS: Final = struct.Struct(">III")
_IPV6: Final = 6
_MOST: Final = 0xFFFF
_MOST_KBPS: Final = 0xFFFF_FFFF
_MOST_COUNTRIES: Final = 255
"""There are fewer."""
_MOST_S: Final = 0xFFFF_FFFF
"""A later end is that of the year 2106."""

E = TypeVar("E", bound=StrEnum)


class Denial(StrEnum):
    """Why a valid token does not admit this viewer."""

    EXPIRED = "expired"
    SESSION = "session"
    COUNTRY = "country"
    ANONYMOUS = "anonymous"
    NETWORK = "network"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. ``session`` is the hashed name of the session. What is None is not known."""

    session: bytes | None
    country: str | None
    anonymous: bool | None
    address: Address | None
    asn: int | None
    device: DeviceKind


@dataclass(frozen=True, slots=True)
class Admission:
    """What a token allows for one asset. None is no condition.

    ``key`` is the tag of the key that made the token, or the first one of a renewed token, and
    ``renewal_key`` the tag of the key that verified a renewed one. ``digest`` is a hash of the
    token's text. ``token``, ``subject`` and ``session`` are hashed names, ``issuer`` and
    ``audiences`` (those that counted) hashes. ``claims`` are those of the token that the config can
    require. ``expires_s``, ``issued_s`` and ``given_s`` (when the gateway gave the admission) are
    in Unix seconds.
    ``terms``: how it may be renewed, None if it may not.
    """

    key: bytes
    digest: bytes = field(repr=False)
    expires_s: int | None = None
    token: bytes | None = field(default=None, repr=False)
    subject: bytes | None = field(default=None, repr=False)
    session: bytes | None = field(default=None, repr=False)
    countries: frozenset[str] | None = None
    refuse_anonymous: bool = False
    networks: tuple[Network, ...] | None = field(default=None, repr=False)
    asns: frozenset[int] | None = None
    devices: frozenset[DeviceKind] | None = None
    limits: Limits = field(default_factory=Limits)
    max_sessions: int | None = None
    terms: RenewalTerms | None = None
    key_of_set: bool = False
    issuer: bytes | None = field(default=None, repr=False)
    audiences: frozenset[bytes] = field(default=frozenset(), repr=False)
    claims: frozenset[RequiredClaim] = frozenset()
    issued_s: int | None = None
    given_s: int = 0
    renewal_key: bytes | None = None

    @property
    def counted_as(self) -> bytes | None:
        """The name under which all requests with the token count, also those that carry this
        instead. None for a token that names nobody: it may be everybody's."""
        if self.token is not None:
            return self.token
        return None if self.subject is None and self.session is None else self.digest

    @classmethod
    def of(
        cls,
        token: VerifiedToken,
        name: "Names",
        rules: TokenRules,
        now_s: float,
        terms: RenewalTerms | None = None,
    ) -> "Admission":
        """That of a token that was verified by ``rules`` at ``now_s`` (Unix seconds), and may be
        renewed on these terms."""
        heard = sorted(token.audiences & rules.audiences)[:MAX_LISTED]
        return cls(
            key=token.key_tag,
            key_of_set=token.key_of_set,
            renewal_key=token.renewal_key_tag,
            issuer=None if token.issuer is None else text_tag(token.issuer),
            audiences=frozenset(map(text_tag, heard)),
            claims=frozenset(claim for claim in RequiredClaim if claim.is_in(token)),
            issued_s=None if token.issued_s is None else int(token.issued_s),
            given_s=-int(-now_s // GIVEN_STEP_S) * GIVEN_STEP_S,
            digest=_digest_of(token),
            expires_s=None if token.expires_s is None else int(token.expires_s),
            token=None if token.token_id is None else name.token(token.token_id),
            subject=None if token.subject is None else name.subject(token.subject),
            session=None if token.session is None else name.session(token.session),
            countries=token.countries,
            refuse_anonymous=token.refuse_anonymous,
            networks=token.networks,
            asns=token.asns,
            devices=token.devices,
            limits=token.limits,
            max_sessions=token.max_sessions,
            terms=terms,
        )

    def still_opens(
        self, key: TokenKey | None, protection: Protection, rules: TokenRules, now_s: float
    ) -> bool:
        """Whether its token would be accepted at ``now_s`` (Unix seconds) by what the config says
        now. ``key`` is the key with its tag; None for one of a set that is not known here (yet)."""
        if key is not None:
            if not key.use.in_force(now_s):
                return False
            if protection.keys is not None and key.name not in protection.keys:
                return False
        issuers = protection.issuers
        if issuers is not None and self.issuer not in {text_tag(each) for each in issuers}:
            return False
        if self.audiences and self.audiences.isdisjoint(map(text_tag, rules.audiences)):
            return False
        if protection.audiences is not None and self.audiences.isdisjoint(
            map(text_tag, protection.audiences)
        ):
            return False
        return self.claims.issuperset(protection.required) and self._lives_short_enough(
            rules, now_s
        )

    def _lives_short_enough(self, rules: TokenRules, now_s: float) -> bool:
        if self.expires_s is None:
            return not rules.require_expiry
        if rules.max_lifetime_s is None:
            return True
        begins_s = now_s + rules.leeway_s if self.issued_s is None else self.issued_s
        return self.expires_s - begins_s <= rules.max_lifetime_s

    def denial(
        self, viewer: Viewer, now_s: float, leeway_s: float, *, unknown_country: bool
    ) -> Denial | None:
        """Why it does not admit ``viewer`` at ``now_s`` (Unix seconds); None when it does.

        ``unknown_country``: a viewer whose country is not known counts as in one of its
        countries.
        """
        denial = None
        if self.expires_s is not None and now_s >= self.expires_s + leeway_s:
            denial = Denial.EXPIRED
        elif self.session is not None and viewer.session != self.session:
            denial = Denial.SESSION
        elif not self._has_country(viewer.country, unknown=unknown_country):
            denial = Denial.COUNTRY
        elif self.refuse_anonymous and viewer.anonymous:
            denial = Denial.ANONYMOUS
        elif not self._has_address(viewer):
            denial = Denial.NETWORK
        elif self.devices is not None and viewer.device not in self.devices:
            denial = Denial.DEVICE
        return denial

    def _has_country(self, country: str | None, *, unknown: bool) -> bool:
        if self.countries is None:
            return True
        return unknown if country is None else country in self.countries

    def _has_address(self, viewer: Viewer) -> bool:
        """Whether the viewer is in one of the networks, or in one of the autonomous systems."""
        if self.networks is None and self.asns is None:
            return True
        if viewer.asn is not None and viewer.asn in (self.asns or ()):
            return True
        return _networks_of(viewer.address, self.networks or ()) != ()

    def is_of(self, token: VerifiedToken) -> bool:
        """Whether a token gave this admission."""
        return self.digest == _digest_of(token)

    def narrowed(self, viewer: Viewer) -> "Admission":
        """The same for ``viewer``, with lists that are short enough to be carried. Those of
        countries stay for a viewer whose country is unknown: it may become known."""
        found = self
        here = viewer.country
        if self.countries is not None and len(self.countries) > MAX_LISTED and here is not None:
            found = replace(found, countries=self.countries & {here})
        if self.asns is not None and len(self.asns) > MAX_LISTED:
            own = frozenset() if viewer.asn is None else self.asns & {viewer.asn}
            found = replace(found, asns=own)
        if self.networks is not None and len(self.networks) > MAX_LISTED:
            found = replace(found, networks=_networks_of(viewer.address, self.networks)[:1])
        return found

    def renewed(self, now_s: float, rules: RenewalRules) -> "Admission":
        """The same with a later end, if its token may be renewed at ``now_s`` (Unix seconds). The
        longest lifetime counts from the first renewal at the latest, as that of its token does."""
        if self.terms is None or self.expires_s is None:
            return self
        end_s = rules.later_end(self.terms, self.expires_s, now_s)
        if end_s is None:
            return self
        since_s = min(self.terms.since_s, int(now_s))
        return replace(self, expires_s=end_s, terms=self.terms._replace(since_s=since_s))

    def to_bytes(self, asset: str) -> bytes:
        """The stored form for an asset (see the module). Its lists have at most ``MAX_LISTED``
        members each, except for that of countries."""
        limits, names = self.limits, (self.token, self.subject, self.session)
        terms = self.terms
        countries = sorted(self.countries or ())[:_MOST_COUNTRIES]
        asns, networks = sorted(self.asns or ()), self.networks or ()
        flags = 0
        for flag, given in (
            (_TOKEN, self.token),
            (_SUBJECT, self.subject),
            (_SESSION, self.session),
            (_COUNTRIES, self.countries),
            (_SYSTEMS, self.asns),
            (_NETWORKS, self.networks),
            (_DEVICES, self.devices),
            (_ANONYMOUS, self.refuse_anonymous or None),
            (_HEIGHT, limits.max_height),
            (_KBPS, limits.max_bitrate_kbps),
            (_CODECS, limits.codecs),
            (_COUNTED, self.max_sessions),
            (_RENEWABLE, self.terms),
            (_ISSUER, self.issuer),
            (_OF_SET, self.key_of_set or None),
            (_RENEWED, self.renewal_key),
        ):
            flags |= 0 if given is None else flag
        head = _HEAD.pack(
            _FORMAT,
            asset_tag(asset),
            self.key,
            self.digest,
            min(self.expires_s or 0, _MOST_S),
            min(self.issued_s or 0, _MOST_S),
            self.given_s,
            flags,
            _bits(RequiredClaim, self.claims),
            min(limits.max_height or 0, _MOST),
            min(limits.max_bitrate_kbps or 0, _MOST_KBPS),
            _bits(CodecFamily, limits.codecs),
            _bits(DeviceKind, self.devices),
            min(self.max_sessions or 0, _MOST),
            len(countries),
            len(asns),
            len(networks),
            len(self.audiences),
        )
        return b"".join(
            (
                head,
                *(name for name in names if name is not None),
                b"" if terms is None else _TERMS.pack(*terms),
                self.issuer or b"",
                self.renewal_key or b"",
                *(country.encode("ascii") for country in countries),
                *(asn.to_bytes(4) for asn in asns),
                *map(_network_bytes, networks),
                *sorted(self.audiences),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, asset: str) -> "Admission | None":
        """Read what :meth:`to_bytes` wrote for ``asset``; None for anything else."""
        if len(data) < _HEAD.size or data[0] != _FORMAT:
            return None
        _, tag, key, digest, expires_s, issued_s, given_s, *values = _HEAD.unpack_from(data)
        flags, claims, height, kbps, codecs, devices, sessions, *counts = values
        countries, asns, networks, audiences = counts
        if tag != asset_tag(asset):
            return None
        rest = _Rest(data[_HEAD.size :])
        names = [
            rest.take(NAME_BYTES) if flags & flag else None for flag in (_TOKEN, _SUBJECT, _SESSION)
        ]
        terms = RenewalTerms(*_TERMS.unpack(rest.take(_TERMS.size))) if flags & _RENEWABLE else None
        issuer, renewal_key = (
            rest.take(_TAG_BYTES) if flags & flag else None for flag in (_ISSUER, _RENEWED)
        )
        listed = [rest.take(2).decode("ascii", "replace") for _ in range(countries)]
        systems = [int.from_bytes(rest.take(4)) for _ in range(asns)]
        ranges = [_network_of(rest.take) for _ in range(networks)]
        heard = frozenset(rest.take(_TAG_BYTES) for _ in range(audiences))
        if rest.failed or rest.left:
            return None
        return cls(
            key=key,
            digest=digest,
            expires_s=expires_s or None,
            token=names[0],
            subject=names[1],
            session=names[2],
            countries=frozenset(listed) if flags & _COUNTRIES else None,
            refuse_anonymous=bool(flags & _ANONYMOUS),
            networks=tuple(ranges) if flags & _NETWORKS else None,
            asns=frozenset(systems) if flags & _SYSTEMS else None,
            devices=_members(DeviceKind, devices) if flags & _DEVICES else None,
            limits=Limits(
                max_height=height if flags & _HEIGHT else None,
                max_bitrate_kbps=kbps if flags & _KBPS else None,
                codecs=_members(CodecFamily, codecs) if flags & _CODECS else None,
            ),
            max_sessions=sessions if flags & _COUNTED else None,
            terms=terms,
            key_of_set=bool(flags & _OF_SET),
            issuer=issuer,
            audiences=heard,
            claims=_members(RequiredClaim, claims),
            issued_s=issued_s or None,
            given_s=given_s,
            renewal_key=renewal_key,
        )


@dataclass(frozen=True, slots=True)
class Names:
    """How names are hashed: each gives ``NAME_BYTES`` bytes."""

    token: Callable[[str], bytes]
    subject: Callable[[str], bytes]
    session: Callable[[str], bytes]


def stricter(asked: Limits, granted: Limits) -> tuple[Limits, Reason | None]:
    """The limits of a request and of its token together, and the reason when the token's count."""
    height = _least(asked.max_height, granted.max_height)
    kbps = _least(asked.max_bitrate_kbps, granted.max_bitrate_kbps)
    codecs = asked.codecs
    if granted.codecs is not None:
        codecs = granted.codecs if codecs is None else codecs & granted.codecs
    least = asked.min_height
    if least is not None and height is not None:
        least = min(least, height)
    found = Limits(height, least, kbps, codecs)
    said = []
    if height != asked.max_height:
        said.append(f"the height to {height}")
    if kbps != asked.max_bitrate_kbps:
        said.append(f"the bit rate to {kbps} kbit/s")
    if codecs != asked.codecs:
        said.append(f"the codecs to {', '.join(sorted(codecs or ())) or 'none of those asked for'}")
    if not said:
        return asked, None
    return found, Reason(Step.TOKEN, "token-limits", f"the token limits {', and '.join(said)}")


def asset_tag(asset: str) -> bytes:
    """What stands for an asset: 8 bytes."""
    return blake2b(asset.encode(), digest_size=8, person=b"admission").digest()


def text_tag(text: str) -> bytes:
    """What stands for an issuer or an audience: 8 bytes."""
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=_TAG_BYTES, person=b"admission text").digest()


def _networks_of(address: Address | None, networks: Iterable[Network]) -> tuple[Network, ...]:
    """Those of the networks that the address is in."""
    if address is None:
        return ()
    return tuple([network for network in networks if address in network])


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


class _Rest:
    """Bytes that are taken from the front. ``failed``: there were too few."""

    __slots__ = ("failed", "left")

    def __init__(self, left: bytes) -> None:
        self.left = left
        self.failed = False

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; zeros when there are too few."""
        found, self.left = self.left[:count], self.left[count:]
        if len(found) < count:
            self.failed = True
            return bytes(count)
        return found


def _network_bytes(network: Network) -> bytes:
    return bytes((network.version, network.prefixlen)) + network.network_address.packed


def _network_of(take: Callable[[int], bytes]) -> Network:
    version, length = take(2)
    if version == _IPV6:
        return IPv6Network((IPv6Address(take(16)), min(length, 128)), strict=False)
    return IPv4Network((IPv4Address(take(4)), min(length, 32)), strict=False)


def _bits(kind: type[E], members: Iterable[E] | None) -> int:
    listed = list(kind)
    return sum(1 << listed.index(member) for member in members or ())


def _members(kind: type[E], bits: int) -> frozenset[E]:
    return frozenset(member for at, member in enumerate(kind) if bits >> at & 1)


def _digest_of(token: VerifiedToken) -> bytes:
    return blake2b(token.digest, digest_size=DIGEST_BYTES).digest()
