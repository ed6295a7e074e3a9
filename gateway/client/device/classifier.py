"""Who asks? A User-Agent and client hints become a Device.

The straight way: the operator's rules, then our families in the order in which one hides in
another (a bot calls itself an iPhone, a television calls itself Android), then the libraries for
what is left, then the hints, which correct what browsers no longer say (F1, F3).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from gateway.client.device import (
    android,
    bots,
    correction,
    library,
    personal,
    screens,
)
from gateway.client.device.capability import capability
from gateway.client.device.classification import Classification
from gateway.client.device.player import names_library, player
from gateway.client.device.rule import DeviceRule, DeviceRules
from gateway.client.device.system import model, system
from gateway.client.device.text import MAX_CHARS, UserAgentText, read_user_agent
from gateway.client.facts import Device, DeviceKind
from gateway.client.hints import NO_HINTS, ClientHints
from gateway.reason import Reason, Step

_UNKNOWN = Classification(DeviceKind.UNKNOWN, "unknown", "nothing known names what it is")
_LIBRARY = Classification(DeviceKind.UNKNOWN, "media-library", "it names a library but no device")
_SILENT = Classification(DeviceKind.UNKNOWN, "no-user-agent", "it sent no User-Agent")


class CacheInfo(NamedTuple):
    """How the cache fares; ``maxsize`` and ``currsize`` in entries."""

    hits: int
    misses: int
    maxsize: int | None
    currsize: int


class DeviceClassifier:
    """Classifies players; ``rules`` are the operator's, tried in order before the shipped ones.

    Keeps the last ``cache_size`` answers. An entry holds at most ``MAX_CHARS`` characters of
    User-Agent, so 4,096 entries stay below 10 MB whatever players send. Safe to share by threads.
    """

    def __init__(self, rules: Sequence[DeviceRule] = (), cache_size: int = 4096) -> None:
        self._book = DeviceRules(tuple(rules))
        self._cached = lru_cache(maxsize=cache_size)(self._classify)

    def classify(self, user_agent: str | None, hints: ClientHints = NO_HINTS) -> Device:
        """The device behind one request. Never raises; cost is bounded by ``MAX_CHARS``."""
        return self._cached((user_agent or "")[:MAX_CHARS], correction.relevant(hints))

    def cache_info(self) -> CacheInfo:
        """Hits, misses and size of the cache, for metrics."""
        return CacheInfo(*self._cached.cache_info())

    def _classify(self, user_agent: str, hints: ClientHints) -> Device:
        text = read_user_agent(user_agent)
        is_android = android.is_android(text)
        named = android.model_of(text.low) if is_android else ""
        verdict = _verdict(text, named, is_android=is_android)
        if hints is not NO_HINTS:
            verdict = correction.correct(verdict, text, hints)
        os, os_version = correction.system(system(text), verdict.kind, hints)
        seen = _Seen(
            verdict.kind,
            os,
            os_version,
            player(text),
            model(text, named) or correction.model(hints),
        )
        rule = self._book.first_match(text.raw)
        if rule is not None:
            return _ruled(seen, rule, text)
        return seen.device(text, verdict.reason)


class _Seen(NamedTuple):
    """What a User-Agent and hints say, before abilities are looked up."""

    kind: DeviceKind
    os: str | None
    os_version: str | None
    player: str | None
    model: str | None

    def device(self, text: UserAgentText, reason: Reason) -> Device:
        ability = capability(self.kind, self.os, self.os_version, self.model, text.low)
        return Device(
            self.kind, self.os, self.os_version, self.player, self.model, ability, (reason,)
        )


def _verdict(text: UserAgentText, model: str, *, is_android: bool) -> Classification:
    """The first family that recognises the User-Agent."""
    if not text.raw:
        return _SILENT
    return (
        bots.find(text, model)
        or screens.find(text, model)
        or personal.find_apple_mobile(text)
        or (android.find(text, model) if is_android else personal.find(text))
        or (_LIBRARY if names_library(text) else None)
        or bots.find_bare(text)
        or library.find(text.raw)
        or _UNKNOWN
    )


def _ruled(seen: _Seen, rule: DeviceRule, text: UserAgentText) -> Device:
    """The device as the rule says, and as seen where the rule is silent."""
    told = _Seen(
        rule.kind or seen.kind,
        rule.os or seen.os,
        seen.os_version,
        rule.player or seen.player,
        rule.model or seen.model,
    ).device(text, Reason(Step.DEVICE, "operator-rule", f"the rule {rule.name!r} matches"))
    known = told.capability
    return replace(
        told,
        capability=replace(
            known,
            max_height=rule.max_height or known.max_height,
            max_frame_rate=rule.max_frame_rate or known.max_frame_rate,
            codecs=rule.codecs or known.codecs,
            video_ranges=rule.video_ranges or known.video_ranges,
        ),
    )
