"""What is left of a Period when Representations go?"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress

from manifests.dash.model import AdaptationSet, Period, Representation, listed

_MAX_ROUNDS = 8
"""How deep trick-mode sets may belong to other trick-mode sets, which makes no sense."""


@dataclass(slots=True, eq=False)
class Filtered:
    """A Period of which only some Representations stay.

    ``stays`` are the sets that stay and ``left``, in the same order, their Representations that do.
    ``lost`` are the sets that go.
    """

    period: Period
    stays: Sequence[AdaptationSet]
    left: Sequence[Sequence[Representation]]
    lost: Sequence[AdaptationSet]

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
        return chain.from_iterable(self.left)


def filtered(period: Period, gone: Collection[int]) -> Filtered:
    """What is left when the Representations ``gone`` go. A set goes with its last one, and a
    trick-mode set with its last main set."""
    stays, lefts, lost = [], [], []
    for found in period.adaptation_sets:
        left = [each for each in found.representations if each.index not in gone]
        if left or not found.representations:
            stays.append(found)
            lefts.append(left)
        else:
            lost.append(found)
    each = Filtered(period, stays, lefts, lost)
    return _without_trick_mode(each) if lost else each


def _without_trick_mode(each: Filtered) -> Filtered:
    every = {found.id for found in each.period.adaptation_sets}
    for _ in range(_MAX_ROUNDS):
        names = {found.id for found in each.stays}
        is_main = [
            not (main := every.intersection(found.trick_mode_of)) or bool(main & names)
            for found in each.stays
        ]
        if all(is_main):
            break
        lost = [found for found, is_kept in zip(each.stays, is_main, strict=True) if not is_kept]
        each = Filtered(
            each.period,
            list(compress(each.stays, is_main)),
            list(compress(each.left, is_main)),
            [*each.lost, *lost],
        )
    return each


def without(text: str, lost: Collection[str]) -> str | None:
    """A list without the items that are lost, with the separator that it has; None when it has none
    of them."""
    items = listed(text)
    left = [item for item in items if item not in lost]
    if len(left) == len(items):
        return None
    separator = ", " if ", " in text else "," if "," in text else " "
    return separator.join(left)
