"""What has to stay with the Representations that stay?

What they depend on (23009-1 5.3.5.2), and the components of a Preselection whose main component
stays (5.3.11): without these, they cannot be decoded or presented (rule E7).
"""

from collections.abc import Collection

from manifests.dash.model import (
    PRESELECTION,
    AdaptationSet,
    Mpd,
    Period,
    Representation,
    listed,
)
from manifests.dash.references import refers


def with_needs(mpd: Mpd, gone: Collection[int]) -> set[int]:
    """``gone``, without the Representations that others need, by their ``index``."""
    left = set(gone)
    if not refers(mpd):
        return left
    for period in mpd.periods:
        _restore(period, left)
    return left


def lowest(representations: Collection[Representation]) -> Representation:
    """The one of the lowest bit rate; at least one is given."""
    return min(representations, key=lambda each: each.bandwidth or 0)


def _restore(period: Period, gone: set[int]) -> None:
    """Take out of ``gone`` what a Representation of this Period needs that stays."""
    every = [(found, each) for found in period.adaptation_sets for each in found.representations]
    components = _components(period)
    if not components and not any(each.dependency_ids for _, each in every):
        return
    by_id = {each.id: (found, each) for found, each in every}
    # What stays, and is not yet looked at.
    waiting = [(found, each) for found, each in every if each.index not in gone]
    stays = {found.element.start for found, _ in waiting}
    while waiting:
        found, each = waiting.pop()
        needed = [by_id[name] for name in each.dependency_ids if name in by_id]
        needed += [
            (other, lowest(other.representations))
            for other in components.pop(found.id, ())
            if other.element.start not in stays
        ]
        for other, one in needed:
            if one.index in gone:
                gone.remove(one.index)
                stays.add(other.element.start)
                waiting.append((other, one))


def _components(period: Period) -> dict[str, list[AdaptationSet]]:
    """The sets with Representations that are components of a Preselection, by the id of its main
    set, which is the first component."""
    lists = [
        element.attributes.get("preselectionComponents", "") for element in period.preselections
    ]
    lists += [
        descriptor.value.partition(",")[2]
        for found in period.adaptation_sets
        for descriptor in (*found.essential, *found.supplemental)
        if descriptor.scheme == PRESELECTION
    ]
    by_id = {found.id: found for found in period.adaptation_sets if found.representations}
    components: dict[str, list[AdaptationSet]] = {}
    for names in map(listed, lists):
        for name in names[1:]:
            if name in by_id:
                components.setdefault(names[0], []).append(by_id[name])
    return components
