"""What has to stay with the Representations that stay?

What they depend on (23009-1 5.3.5.2), and the components of a Preselection whose main component
stays (5.3.11): without these, they cannot be decoded or presented (rule E7).
"""

from collections.abc import Collection, Iterator

from manifests.dash.filtered import listed
from manifests.dash.model import Mpd, Period, Representation
from manifests.dash.references import PRESELECTION


def with_needs(mpd: Mpd, gone: Collection[int]) -> set[int]:
    """``gone``, without the Representations that others need, by their ``index``."""
    left = set(gone)
    for period in mpd.periods:
        while _restore_components(period, left) or _restore_dependencies(period, left):
            pass
    return left


def lowest(representations: Collection[Representation]) -> Representation:
    """The one of the lowest bit rate; at least one is given."""
    return min(representations, key=lambda each: each.bandwidth or 0)


def _restore_dependencies(period: Period, gone: set[int]) -> bool:
    """Restore what a Representation that stays depends on; whether there was anything."""
    every = [each for found in period.adaptation_sets for each in found.representations]
    needed = {name for each in every if each.index not in gone for name in each.dependency_ids}
    missing = [each.index for each in every if each.id in needed and each.index in gone]
    gone.difference_update(missing)
    return bool(missing)


def _restore_components(period: Period, gone: set[int]) -> bool:
    """Restore the lowest Representation of each component of a Preselection whose main component
    stays; whether there was any."""
    missing = set()
    by_id = {found.id: found for found in period.adaptation_sets}
    for names in _preselected(period):
        sets = [by_id[name] for name in names if name in by_id]
        if names[0] in by_id and any(each.index not in gone for each in sets[0].representations):
            for found in sets:
                if found.representations and gone.issuperset(
                    each.index for each in found.representations
                ):
                    missing.add(lowest(found.representations).index)
    gone -= missing
    return bool(missing)


def _preselected(period: Period) -> Iterator[list[str]]:
    """The components of each Preselection, the main one first."""
    for element in period.preselections:
        names = listed(element.attributes.get("preselectionComponents", ""))
        if names:
            yield names
    for found in period.adaptation_sets:
        for descriptor in (*found.essential, *found.supplemental):
            names = listed(descriptor.value.partition(",")[2])
            if descriptor.scheme == PRESELECTION and names:
                yield names
