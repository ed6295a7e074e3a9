"""Which profile does a request get? Ordered rules over facts; the first match wins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.cache import Recent
from gateway.policy.prefixes import Prefixes


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
        """True when all fits that is no figure: the kind of player, its place, what it asks for,
        and whether its speed is known."""
        return (
            (self.device is None or subject.device in self.device)
            and (self.country is None or subject.country in self.country)
            and (self.continent is None or subject.continent in self.continent)
            and (self.asn is None or subject.asn in self.asn)
            and _named(self.os, subject.os)
            and _named(self.player, subject.player)
            and (self.save_data is None or subject.save_data is self.save_data)
            and (self.asset_prefix is None or subject.asset.startswith(self.asset_prefix))
            and (self.speed_known is None or self.speed_known is (subject.speed_kbps is not None))
            and not (subject.speed_kbps is None and self._asks_speed)
        )

    def holds_now(self, subject: Subject) -> bool:
        """True when the figures fit, speed and time, where ``may_hold`` is true."""
        speed = subject.speed_kbps
        return (
            speed is None
            or (
                (self.speed_below_kbps is None or speed < self.speed_below_kbps)
                and (self.speed_at_least_kbps is None or speed >= self.speed_at_least_kbps)
                and (self.speed_above_kbps is None or speed > self.speed_above_kbps)
            )
        ) and (
            self.time_of_day is None
            or any(window.holds(subject.minute_of_day) for window in self.time_of_day)
        )

    @property
    def asks_figures(self) -> bool:
        """Whether ``holds_now`` can be false."""
        return self.time_of_day is not None or self._asks_speed

    @property
    def _asks_speed(self) -> bool:
        return not (
            self.speed_below_kbps is None
            and self.speed_at_least_kbps is None
            and self.speed_above_kbps is None
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


NARROWED = 2_048
"""So many kinds of request are remembered with the rules that may hold for them."""

_Value = str | int | None
_NAMES = ("asset_prefix", "asn", "country", "player", "os", "device", "continent")
"""The conditions by which rules are found; those that fewest requests fulfil come first."""


class RuleList:
    """Ordered rules. However many they are, a request meets only those that may hold for it.

    Each rule is filed under one of its conditions. What rules can tell a request by, besides
    figures, is its *kind*; the rules that may hold for a kind are looked for once.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """``rules`` in their order."""
        self._rules = tuple(rules)
        self._filed: dict[tuple[str, _Value], list[int]] = {}
        self._asked: dict[str, dict[_Value, _Value]] = {name: {} for name in _NAMES}
        for position, rule in enumerate(rules):
            conditions = [(name, getattr(rule.when, name)) for name in _NAMES]
            asked = [(name, values) for name, values in conditions if values is not None]
            for name, values in asked:
                self._asked[name].update(zip(values, values, strict=True))
            name, values = asked[0] if asked else ("", (None,))
            for value in values:
                self._filed.setdefault((name, value), []).append(position)
        self._prefixes = Prefixes(map(str, self._asked["asset_prefix"]))
        self._narrowed: Recent[tuple[_Value, ...], tuple[tuple[int, Rule], ...]] = Recent(NARROWED)

    def first_match(self, subject: Subject, default_profile: str) -> Match:
        """The first rule that holds for ``subject``, else the default profile."""
        kind = self._kind(subject)
        candidates = self._narrowed.get(kind)
        if candidates is None:
            candidates = tuple(self._narrow(subject, kind))
            self._narrowed.put(kind, candidates)
        for position, rule in candidates:
            if rule.when.holds_now(subject):
                return Match(rule.profile, position)
        return Match(default_profile, None)

    def _kind(self, subject: Subject) -> tuple[_Value, ...]:
        """The values of ``_NAMES``, and what else is no figure. None stands for all values that no
        rule names."""
        asked, os, player = self._asked, subject.os, subject.player
        return (
            self._prefixes.longest(subject.asset),
            asked["asn"].get(subject.asn),
            asked["country"].get(subject.country),
            None if player is None else asked["player"].get(player.casefold()),
            None if os is None else asked["os"].get(os.casefold()),
            asked["device"].get(subject.device),
            asked["continent"].get(subject.continent),
            subject.save_data,
            subject.speed_kbps is None,
        )

    def _narrow(self, subject: Subject, kind: Sequence[_Value]) -> Iterator[tuple[int, Rule]]:
        """The rules that may hold, up to the first that holds whatever the figures are."""
        prefix, *others = zip(_NAMES, kind, strict=False)
        places = [("", None), *others]
        if prefix[1] is not None:
            places += [(prefix[0], shorter) for shorter in self._prefixes.within(str(prefix[1]))]
        for position in sorted({at for place in places for at in self._filed.get(place, ())}):
            rule = self._rules[position]
            if rule.when.may_hold(subject):
                yield position, rule
                if not rule.when.asks_figures:
                    return
