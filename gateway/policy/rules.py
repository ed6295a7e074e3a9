"""Which profile does a request get? Ordered rules over facts; the first match wins."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.recent import Recent


@dataclass(frozen=True, slots=True)
class Subject:
    """The facts that a rule may ask about. ``speed_kbps`` None: nothing was measured.

    ``minute_of_day`` counts from 00:00 in the policy's time zone.
    """

    asset: str
    device: str
    os: str | None = None
    player: str | None = None
    country: str | None = None
    continent: str | None = None
    asn: int | None = None
    speed_kbps: float | None = None
    save_data: bool = False
    minute_of_day: int = 0


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Minutes of the day, from ``start`` up to but not including ``end``; may wrap midnight."""

    start: int
    end: int

    def __str__(self) -> str:
        """``22:00-06:00``."""
        return "-".join(f"{at // 60:02}:{at % 60:02}" for at in (self.start, self.end))

    def holds(self, minute: int) -> bool:
        """True when ``minute`` (0–1439) lies in the window."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True, slots=True)
class When:
    """Conditions that must all hold; one left out (None) holds for everyone.

    Sets match any of their members; names of OS and player are compared without case. A condition
    on the speed does not hold while the speed is unknown (``speed_known = False`` asks for that).
    ``speed_below_kbps`` is exclusive, ``speed_above_kbps`` exclusive, ``speed_at_least_kbps``
    inclusive.
    """

    device: frozenset[str] | None = None
    os: frozenset[str] | None = None
    player: frozenset[str] | None = None
    country: frozenset[str] | None = None
    continent: frozenset[str] | None = None
    asn: frozenset[int] | None = None
    speed_below_kbps: int | None = None
    speed_at_least_kbps: int | None = None
    speed_above_kbps: int | None = None
    speed_known: bool | None = None
    save_data: bool | None = None
    asset_prefix: tuple[str, ...] | None = None
    time_of_day: tuple[TimeWindow, ...] | None = None

    def holds(self, subject: Subject) -> bool:
        """True when every condition holds for ``subject``."""
        return self.may_hold(subject) and self.holds_now(subject)

    def may_hold(self, subject: Subject) -> bool:
        """True when what a player keeps from request to request fits: its kind and its place."""
        return (
            (self.device is None or subject.device in self.device)
            and (self.country is None or subject.country in self.country)
            and (self.continent is None or subject.continent in self.continent)
            and (self.asn is None or subject.asn in self.asn)
            and _named(self.os, subject.os)
            and _named(self.player, subject.player)
        )

    def holds_now(self, subject: Subject) -> bool:
        """True when the rest of the conditions holds, where those of ``may_hold`` do."""
        return (
            self._speed_holds(subject.speed_kbps)
            and (self.save_data is None or subject.save_data is self.save_data)
            and (self.asset_prefix is None or subject.asset.startswith(self.asset_prefix))
            and (
                self.time_of_day is None
                or any(window.holds(subject.minute_of_day) for window in self.time_of_day)
            )
        )

    def __str__(self) -> str:
        """The conditions as an operator wrote them, shortly: ``device = phone, speed < 1000``."""
        parts = [
            f"{name} = {' | '.join(sorted(str(item) for item in values))}"
            for name, values in (
                ("device", self.device),
                ("os", self.os),
                ("player", self.player),
                ("country", self.country),
                ("continent", self.continent),
                ("asn", self.asn),
                ("asset_prefix", self.asset_prefix),
                ("time_of_day", self.time_of_day),
            )
            if values is not None
        ]
        parts += [
            f"speed {sign} {bound} kbit/s"
            for sign, bound in (
                ("<", self.speed_below_kbps),
                (">=", self.speed_at_least_kbps),
                (">", self.speed_above_kbps),
            )
            if bound is not None
        ]
        parts += [
            f"{name} = {str(flag).lower()}"
            for name, flag in (("speed_known", self.speed_known), ("save_data", self.save_data))
            if flag is not None
        ]
        return ", ".join(parts) or "everyone"

    def _speed_holds(self, speed: float | None) -> bool:
        if self.speed_known is not None and self.speed_known is not (speed is not None):
            return False
        if speed is None:
            return (
                self.speed_below_kbps is None
                and self.speed_at_least_kbps is None
                and self.speed_above_kbps is None
            )
        return (
            (self.speed_below_kbps is None or speed < self.speed_below_kbps)
            and (self.speed_at_least_kbps is None or speed >= self.speed_at_least_kbps)
            and (self.speed_above_kbps is None or speed > self.speed_above_kbps)
        )


def _named(wanted: frozenset[str] | None, name: str | None) -> bool:
    return wanted is None or (name is not None and name.casefold() in wanted)


@dataclass(frozen=True, slots=True)
class Rule:
    """``when`` the conditions hold, the profile of that name is used. OS and player names in
    ``when`` are case-folded when the rule is built."""

    when: When
    profile: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The profile's name, and the position (from 0) of the rule that gave it; None: no rule."""

    profile: str
    rule: int | None


class RuleList:
    """Ordered rules. Those that may hold for a kind of player in a place are looked for once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """``rules`` in their order."""
        self._rules = tuple(rules)
        self._narrowed: Recent[tuple[object, ...], tuple[tuple[int, Rule], ...]] = Recent(NARROWED)

    def first_match(self, subject: Subject, default_profile: str) -> Match:
        """The first rule that holds for ``subject``, else the default profile."""
        for position, rule in self._candidates(subject):
            if rule.when.holds_now(subject):
                return Match(rule.profile, position)
        return Match(default_profile, None)

    def _candidates(self, subject: Subject) -> tuple[tuple[int, Rule], ...]:
        key = (
            subject.device,
            subject.os,
            subject.player,
            subject.country,
            subject.continent,
            subject.asn,
        )
        found = self._narrowed.get(key)
        if found is None:
            found = tuple(
                (position, rule)
                for position, rule in enumerate(self._rules)
                if rule.when.may_hold(subject)
            )
            self._narrowed.put(key, found)
        return found


NARROWED = 2_048
"""Kinds of player and place whose rules are remembered."""
