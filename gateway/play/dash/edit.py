"""Which Representations of an MPD go when these rungs stay?

Every Period keeps what the fit kept of it. Audio and trick-mode sets follow the same caps, but
never go whole because of them. Nothing else goes: not text, thumbnails or remote sets.
"""

from collections.abc import Collection, Iterator

from gateway.ladder.rung import Constraints
from gateway.play.dash.ladder import offered, shorter_side
from gateway.source.source import version_of
from manifests.dash.model import AdaptationSet, Mpd, Period, Representation
from manifests.dash.needs import lowest, with_needs


def gone_of(mpd: Mpd, kept: Collection[int], limits: Constraints) -> Collection[int]:
    """The Representations that go, by their ``index``, when the rungs ``kept`` stay. ``kept`` has
    one of each Period at least, as every fit has."""
    rungs = offered(mpd)
    is_capped = limits.max_bandwidth is not None or limits.max_height is not None
    if len(kept) == len(rungs) and not is_capped and limits.screen:
        return ()
    stays = set(kept)
    gone = {each.index for at, each in enumerate(rungs) if at not in stays}
    for period in mpd.periods:
        has_video = any(_video(period))
        no_trick_mode = has_video and not limits.screen
        has_trick_mode = any(found.is_trick_mode for found in period.adaptation_sets)
        looks = _lost_looks(period, gone) if has_trick_mode else set()
        for found in period.adaptation_sets:
            if found.is_trick_mode and no_trick_mode:
                gone.update([each.index for each in found.representations])
            elif found.is_trick_mode:
                gone.update(_trick_mode(found, looks, limits))
            elif has_video and found.content_type == "audio":
                gone.update(_unfit(found.representations, limits))
    return with_needs(mpd, gone)


def shape_of(mpd: Mpd) -> str:
    """A hash of all that :func:`gone_of` depends on."""
    told = [
        (
            [element.attributes for element in period.preselections],
            [
                (
                    found.id,
                    found.content_type,
                    found.is_trick_mode,
                    found.trick_mode_of,
                    _every(found),
                )
                for found in period.adaptation_sets
            ],
        )
        for period in mpd.periods
    ]
    return version_of(repr(told).encode("utf-8", "surrogatepass"))


def _every(found: AdaptationSet) -> list[object]:
    return [
        (
            *(each.index, each.id, each.bandwidth, each.width, each.height, each.dependency_ids),
            *(sorted(each.families), each.video_range),
            each.element.first("InbandEventStream") is not None,
        )
        for each in found.representations
    ]


def _trick_mode(
    found: AdaptationSet, looks: Collection[object], limits: Constraints
) -> Collection[int]:
    """The Representations of a trick-mode set that go. A set that names its main sets goes with
    them; another one when no video in its codecs and video range is left: ``looks`` are those that
    are lost."""
    every = found.representations
    is_lost = [not found.trick_mode_of and _look(each) in looks for each in every]
    lost = [each.index for each, goes in zip(every, is_lost, strict=True) if goes]
    left = [each for each, goes in zip(every, is_lost, strict=True) if not goes]
    return [*lost, *_unfit(left, limits)]


def _lost_looks(period: Period, gone: Collection[int]) -> set[object]:
    """The codecs and video ranges of which all video of a Period goes."""
    looks: tuple[set[object], set[object]] = set(), set()
    for each in _video(period):
        looks[each.index in gone].add(_look(each))
    return looks[1] - looks[0]


def _video(period: Period) -> Iterator[Representation]:
    for found in period.adaptation_sets:
        if found.content_type == "video" and not found.is_trick_mode:
            yield from found.representations


def _look(each: Representation) -> object:
    return each.families, each.video_range


def _unfit(representations: Collection[Representation], limits: Constraints) -> list[int]:
    """Those above the caps, but for the lowest where all are. One that carries events stays (E17),
    and so does one whose bit rate is unknown."""
    above = [each for each in representations if _is_above(each, limits)]
    if not above:
        return []
    above = [each for each in above if each.element.first("InbandEventStream") is None]
    if above and len(above) == len(representations):
        above.remove(lowest(above))
    return [each.index for each in above]


def _is_above(each: Representation, limits: Constraints) -> bool:
    bandwidth, cap, tallest = each.bandwidth, limits.max_bandwidth, limits.max_height
    if cap is not None and bandwidth is not None and bandwidth > cap:
        return True
    height = None if tallest is None else shorter_side(each)
    return tallest is not None and height is not None and height > tallest
