"""How does every refresh of a live MPD get the same filter, and the same first edge (rule E10)?

A live MPD is asked for every few seconds. By then the player has measured another speed, and
browsers send more client hints. If each request were decided afresh, its MPD would have other
Representations than the one before, which players do not expect (ISO/IEC 23009-1, 5.4). So
``Location`` leads back to the gateway with what the first answer has fixed. It is signed
(:mod:`gateway.trust.keys`), and the same for all viewers that get the same MPD: it names neither a
viewer nor a place.

Layout, big-endian: ``0x01``, asset (8 bytes), version of the rules (8), hour of issue since 1970
(4), edge (8), position of the profile among the names in order (2), of the rule (2, ``0xFFFF``:
none), start bit rate (4, in bit/s), flags (1), codec families and video ranges (1 each, as bits),
height (2), frame rate (8).
"""

import struct
from hashlib import blake2b
from typing import Final
from urllib.parse import quote

from gateway.client.facts import Capability, Pinned
from gateway.client.limits import LIMIT_NAMES
from gateway.decision import Decision, Policy
from gateway.play.dash.bits import bits_of, members_of
from gateway.play.decide import Earlier
from gateway.play.request import Request
from gateway.trust.keys import KeyRing, Purpose
from manifests.codecs import CodecFamily, VideoRange

STATE: Final = "state"
"""The query parameter that carries the state."""
MAX_AGE_H: Final = 48
"""A state older than this many hours no longer counts. Answers carry that of the current hour."""
CLOCK_SKEW_H: Final = 1
"""How far ahead of this process's clock a state may be dated."""

_FORMAT: Final = 1
_LAYOUT: Final = struct.Struct(">B8s8sIQHHIBBBHd")
_NO_RULE: Final = 0xFFFF
_MOST_BPS: Final = 0xFFFF_FFFF
_HOUR_S: Final = 3600
_HEIGHT, _RATE, _CODECS, _RANGES, _SPATIAL, _SCREEN = (1 << bit for bit in range(6))


def hour_of(now_s: float) -> int:
    """The hour that a state is issued in: the same for all answers within it."""
    return int(now_s) // _HOUR_S


def sign_state(keys: KeyRing, decision: Decision, hour: int) -> str:
    """The state that pins a decision, as text for a query."""
    inquiry, facts = decision.inquiry, decision.facts
    capability = facts.device.capability
    height, rate = capability.max_height, capability.max_frame_rate
    codecs, ranges = capability.codecs, capability.video_ranges
    flags = (
        (_HEIGHT if height is not None else 0)
        | (_RATE if rate is not None else 0)
        | (_CODECS if codecs is not None else 0)
        | (_RANGES if ranges is not None else 0)
        | (_SPATIAL if capability.spatial else 0)
        | (_SCREEN if capability.screen else 0)
    )
    payload = _LAYOUT.pack(
        _FORMAT,
        _name(facts.asset),
        _version(inquiry.policy),
        hour,
        decision.edge.key,
        sorted(inquiry.policy.profiles).index(decision.choice.profile.name),
        _NO_RULE if decision.choice.rule is None else min(decision.choice.rule, _NO_RULE),
        min(inquiry.start_bandwidth, _MOST_BPS),
        flags,
        bits_of(CodecFamily, codecs),
        bits_of(VideoRange, ranges),
        height or 0,
        rate or 0.0,
    )
    return keys.sign(Purpose.REFRESH_STATE, payload)


def read_state(
    keys: KeyRing, text: str, asset: str, policy: Policy, now_s: float
) -> Earlier | None:
    """What a request's state has fixed for ``asset``. None for anything but a state that a gateway
    with the same keys has issued for it, and for one that is too old. What was pinned under other
    rules no longer holds; its edge does."""
    payload = keys.verify(Purpose.REFRESH_STATE, text)
    if payload is None or len(payload) != _LAYOUT.size or payload[0] != _FORMAT:
        return None
    _, name, version, hour, edge, profile, rule, start, *device = _LAYOUT.unpack(payload)
    if name != _name(asset) or not -CLOCK_SKEW_H <= hour_of(now_s) - hour <= MAX_AGE_H:
        return None
    names = sorted(policy.profiles)
    if version != _version(policy) or profile >= len(names):
        return Earlier(edge, None)
    if rule != _NO_RULE and rule >= len(policy.rules):
        return Earlier(edge, None)
    pinned = Pinned(names[profile], None if rule == _NO_RULE else rule, start, _capability(*device))
    return Earlier(edge, pinned)


def _capability(flags: int, codecs: int, ranges: int, height: int, rate: float) -> Capability:
    return Capability(
        max_height=height if flags & _HEIGHT else None,
        max_frame_rate=rate if flags & _RATE else None,
        codecs=members_of(CodecFamily, codecs) if flags & _CODECS else None,
        video_ranges=members_of(VideoRange, ranges) if flags & _RANGES else None,
        spatial=bool(flags & _SPATIAL),
        screen=bool(flags & _SCREEN),
    )


def kept_query(request: Request) -> str:
    """The parameters of a request that its refreshes repeat, as a query that needs no escaping but
    of ``&``: the limits that it asks for. The session has a place of its own; others are
    measurements, or not the gateway's."""
    given = request.parameters.by_name
    kept = [name for name in LIMIT_NAMES if name in given]
    return "&".join(f"{name}={quote(given[name], safe=',')}" for name in kept)


def _name(asset: str) -> bytes:
    return blake2b(asset.encode(), digest_size=8, person=b"refresh").digest()


def _version(policy: Policy) -> bytes:
    """The version of the rules, 8 bytes; zeros for a policy without one."""
    return bytes.fromhex(policy.rules_version or "00" * 8)
