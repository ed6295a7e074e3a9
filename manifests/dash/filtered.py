"""What is left of a Period when Representations go?"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from manifests.dash.model import AdaptationSet, Period, Representation

_MAX_ROUNDS = 8
"""How often a trick-mode set may be one of another trick-mode set, which makes no sense."""
_ITEM = re.compile(r"[^\s,]+")


@dataclass(slots=True, eq=False)
class Filtered:
    """A Period whose Representations ``gone`` go, and all of the sets ``lost``."""

    period: Period
    stays: Sequence[AdaptationSet]
    lost: Sequence[AdaptationSet]
    gone: Collection[int]

    @property
    def lost_ids(self) -> set[str]:
        """The ids that name no AdaptationSet any more."""
        return {found.id for found in self.lost} - {found.id for found in self.stays} - {""}

    @property
    def lost_representations(self) -> set[str]:
        """The ids that name no Representation any more."""
        every = {each.id for found in self.period.adaptation_sets for each in found.representations}
        return every - {each.id for each in self.representations()}

    def representations(self) -> Iterator[Representation]:
        """The Representations that are left."""
        for found in self.stays:
            for each in found.representations:
                if each.index not in self.gone:
                    yield each


def filtered(period: Period, gone: Collection[int]) -> Filtered:
    """A set goes with its last Representation, and a trick-mode set with its last main set."""
    sets = period.adaptation_sets
    lost = [
        bool(found.representations) and all(each.index in gone for each in found.representations)
        for found in sets
    ]
    every = {found.id for found in sets}
    for _ in range(_MAX_ROUNDS):
        left = {found.id for found, is_lost in zip(sets, lost, strict=True) if not is_lost}
        before = list(lost)
        for at, found in enumerate(sets):
            main = every.intersection(found.trick_mode_of)
            lost[at] = lost[at] or bool(main and main.isdisjoint(left))
        if lost == before:
            break
    return Filtered(
        period=period,
        stays=[found for found, is_lost in zip(sets, lost, strict=True) if not is_lost],
        lost=[found for found, is_lost in zip(sets, lost, strict=True) if is_lost],
        gone=gone,
    )


def listed(text: str) -> list[str]:
    """The items of a list that is separated by white space or commas."""
    return _ITEM.findall(text)


def without(text: str, lost: Collection[str]) -> str | None:
    """A list without the items that are lost, with the separator that it has; None when it has none
    of them."""
    items = listed(text)
    left = [item for item in items if item not in lost]
    if len(left) == len(items):
        return None
    separator = ", " if ", " in text else "," if "," in text else " "
    return separator.join(left)
