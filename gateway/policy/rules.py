"""Which profile does a request get? Ordered rules over facts; the first match wins."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.policy.prefixes import Prefixes


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Subject:
    """The facts of one request that rules can test.

    ``speed_kbps`` None means that no speed was measured. ``minute_of_day`` counts from 00:00 in the
    policy's time zone. ``ect`` is the ECT hint, such as ``3g``.
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
    ect: str | None = None


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Minutes of the day, from ``start`` up to but not including ``end``; may go past midnight."""

    start: int
    end: int

    def __str__(self) -> str:
        """``22:00-06:00``."""
        return "-".join(f"{at // 60:02}:{at % 60:02}" for at in (self.start, self.end))

    def holds(self, minute: int) -> bool:
        """Whether ``minute`` (0–1439) is in the window."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True, slots=True)
class When:
    """Conditions that must all hold. A condition that is None holds for every request.

    A set holds when the fact is one of its members. The names in ``os`` and ``player`` must be
    case-folded. A bound on the speed does not hold while the speed is unknown; ``speed_known``
    False holds only then. ``speed_below_kbps`` and ``speed_above_kbps`` exclude the bound itself,
    ``speed_at_least_kbps`` includes it.
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
    ect: frozenset[str] | None = None
    asset_prefix: tuple[str, ...] | None = None
    time_of_day: tuple[TimeWindow, ...] | None = None

    def holds(self, subject: Subject) -> bool:
        """Whether every condition holds for ``subject``."""
        return (
            (self.device is None or subject.device in self.device)
            and (self.country is None or subject.country in self.country)
            and (self.continent is None or subject.continent in self.continent)
            and (self.asn is None or subject.asn in self.asn)
            and _is_named(self.os, subject.os)
            and _is_named(self.player, subject.player)
            and (self.save_data is None or subject.save_data is self.save_data)
            and (self.ect is None or subject.ect in self.ect)
            and (self.asset_prefix is None or subject.asset.startswith(self.asset_prefix))
            and self._speed_holds(subject.speed_kbps)
            and (
                self.time_of_day is None
                or any(window.holds(subject.minute_of_day) for window in self.time_of_day)
            )
        )

    def _speed_holds(self, speed_kbps: float | None) -> bool:
        below, least, above = (
            self.speed_below_kbps,
            self.speed_at_least_kbps,
            self.speed_above_kbps,
        )
        if speed_kbps is None:
            return not self.speed_known and below is None and least is None and above is None
        return (
            self.speed_known is not False
            and (below is None or speed_kbps < below)
            and (least is None or speed_kbps >= least)
            and (above is None or speed_kbps > above)
        )

    def __str__(self) -> str:
        """The conditions in short: ``device = phone, speed < 1000 kbit/s``."""
        parts = [
            f"{name} = {' | '.join(sorted(str(item) for item in values))}"
            for name, values in (
                ("device", self.device),
                ("os", self.os),
                ("player", self.player),
                ("country", self.country),
                ("continent", self.continent),
                ("asn", self.asn),
                ("ect", self.ect),
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


def _is_named(names: frozenset[str] | None, name: str | None) -> bool:
    return names is None or (name is not None and name.casefold() in names)


@dataclass(frozen=True, slots=True)
class Rule:
    """A request for which ``when`` holds gets the named profile. ``name`` is for people."""

    when: When
    profile: str
    name: str = ""


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Match:
    """The name of a profile, and the position (from 0) of the rule that gave it. ``rule`` None: no
    rule holds, and this is the default profile."""

    profile: str
    rule: int | None


_INDEXED = (
    *("asset_prefix", "asn", "country", "ect", "player", "os", "device", "continent"),
    "save_data",
)
"""The parts that conditions are indexed by. Those that hold for few requests come first."""

_Positions = dict[str | int, list[int]]


class ConditionList:
    """Ordered conditions with an index, so that thousands take little longer than a few.

    Each condition is in the index once, under the values of the first part in ``_INDEXED`` that it
    has. A request tests only those under its own values, and those without such a part.
    """

    def __init__(self, conditions: Sequence[When]) -> None:
        """``conditions`` in their order."""
        self._conditions = tuple(conditions)
        self._without_index: list[int] = []
        self._index: dict[str, _Positions] = {}
        for position, when in enumerate(conditions):
            name = next((name for name in _INDEXED if getattr(when, name) is not None), None)
            if name is None:
                self._without_index.append(position)
                continue
            by_value = self._index.setdefault(name, {})
            values = getattr(when, name)
            for value in {values} if isinstance(values, bool) else set(values):
                by_value.setdefault(value, []).append(position)
        self._by_prefix = self._index.pop("asset_prefix", {})
        self._prefixes = Prefixes(map(str, self._by_prefix))

    def first(self, subject: Subject) -> int | None:
        """The position of the first condition that holds for ``subject``; None when none does."""
        for position in self._candidates(subject):
            if self._conditions[position].holds(subject):
                return position
        return None

    def _candidates(self, subject: Subject) -> list[int]:
        """The positions of all conditions that may hold for ``subject``, in ascending order."""
        found = list(self._without_index)
        for name, by_value in self._index.items():
            value = getattr(subject, name)
            if value is not None:
                if name in ("os", "player"):
                    value = value.casefold()
                found += by_value.get(value, ())
        if self._by_prefix:
            for prefix in self._prefixes.of(subject.asset):
                found += self._by_prefix[prefix]
        found.sort()
        return found


class RuleList:
    """Ordered rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """``rules`` in their order."""
        self._rules = tuple(rules)
        self._conditions = ConditionList([rule.when for rule in rules])

    def first_match(self, subject: Subject, default_profile: str) -> Match:
        """The first rule that holds for ``subject``, otherwise the default profile."""
        position = self._conditions.first(subject)
        if position is None:
            return Match(default_profile, None)
        return Match(self._rules[position].profile, position)
