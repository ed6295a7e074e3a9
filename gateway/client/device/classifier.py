"""Who asks? A User-Agent and client hints become a :class:`Device`.

The steps: our own families in a fixed order, because some names contain others (a bot calls itself
an iPhone, a television calls itself Android); then the libraries, for what no family recognises;
then the client hints, which correct what browsers no longer say (F1, F3); then the operator's
rules, which override all of that.
"""

from collections.abc import Sequence
from dataclasses import replace
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
from gateway.client.device.text import UserAgentText, read_user_agent
from gateway.client.facts import Device, DeviceKind
from gateway.client.hints import NO_HINTS, ClientHints
from gateway.reason import Reason, Step

_UNKNOWN = Classification(DeviceKind.UNKNOWN, "unknown", "nothing in its User-Agent is known")
_LIBRARY = Classification(DeviceKind.UNKNOWN, "media-library", "it names a library but no device")
_NO_USER_AGENT = Classification(DeviceKind.UNKNOWN, "no-user-agent", "it sent no User-Agent")


class DeviceClassifier:
    """Classifies players. ``rules`` are the operator's; the first that matches counts.

    Nothing is cached here: a classification takes tens of microseconds, and the caller
    (:mod:`gateway.play.clients`) caches devices by their headers. Safe to share between threads.
    """

    def __init__(self, rules: Sequence[DeviceRule] = ()) -> None:
        self._rules = DeviceRules(tuple(rules))

    def classify(self, user_agent: str | None, hints: ClientHints = NO_HINTS) -> Device:
        """The device behind one request.

        Never raises. Only the first ``MAX_CHARS`` characters of ``user_agent`` are read, which
        bounds the cost.
        """
        text = read_user_agent(user_agent)
        is_android = android.is_android(text)
        android_model = android.model_of(text.low) if is_android else ""
        found = _classification(text, android_model, is_android=is_android)
        if hints is not NO_HINTS:
            found = correction.correct(found, text, hints)
        os, os_version = correction.corrected_system(system(text), found.kind, hints)
        identity = _Identity(
            found.kind,
            os,
            os_version,
            player(text),
            model(text, android_model) or correction.hinted_model(hints),
        )
        rule = self._rules.first_match(text.sent)
        if rule is not None:
            return _device_by_rule(identity, rule, text, found.reason)
        return identity.device(text, (found.reason,))


class _Identity(NamedTuple):
    """What a User-Agent and hints say, before capabilities are looked up."""

    kind: DeviceKind
    os: str | None
    os_version: str | None
    player: str | None
    model: str | None

    def device(self, text: UserAgentText, reasons: tuple[Reason, ...]) -> Device:
        ability = capability(self.kind, self.os, self.os_version, self.model, text.low)
        return Device(
            self.kind, self.os, self.os_version, self.player, self.model, ability, reasons
        )


def _classification(text: UserAgentText, model: str, *, is_android: bool) -> Classification:
    """The answer of the first family that recognises the User-Agent."""
    if not text.raw:
        return _NO_USER_AGENT
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


def _device_by_rule(
    identity: _Identity, rule: DeviceRule, text: UserAgentText, found: Reason
) -> Device:
    """The device with the values of the rule; values that the rule does not set stay, and so does
    the reason for the class that was ``found``."""
    named = "" if rule.kind is None else f"{rule.kind}: "
    ruled = Reason(Step.DEVICE, "operator-rule", f"{named}the rule {rule.name!r} matches")
    reasons = (found, ruled) if rule.kind is None else (ruled,)
    device = _Identity(
        rule.kind or identity.kind,
        rule.os or identity.os,
        identity.os_version,
        rule.player or identity.player,
        rule.model or identity.model,
    ).device(text, reasons)
    known = device.capability
    return replace(
        device,
        capability=replace(
            known,
            max_height=rule.max_height or known.max_height,
            max_frame_rate=rule.max_frame_rate or known.max_frame_rate,
            codecs=rule.codecs or known.codecs,
            video_ranges=rule.video_ranges or known.video_ranges,
        ),
    )
