"""Which ladder does an MPD offer? Its Representations of video as rungs.

The rungs of all Periods are in one ladder, in document order. Trick-mode and thumbnail sets are no
part of it. Neither is audio, but in Periods without video.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from hashlib import blake2b
from operator import attrgetter

from gateway.ladder.rung import Ladder, Rung, steps_within
from gateway.play.dash.entries import Entry, entries_of, protections_of
from gateway.play.dash.serves import serves_of
from manifests.codecs import families_of, has_other_video, kind_of
from manifests.dash.model import AdaptationSet, Mpd, Period, Representation

_values = attrgetter(*[field.name for field in fields(Rung)])


def ladder_of(mpd: Mpd) -> Ladder:
    """The ladder of an MPD.

    ``version`` identifies the ladder, not the bytes: it stays the same while a live MPD only lists
    other segments.
    """
    rungs = rungs_of(mpd)
    return Ladder(_version(rungs), rungs)


def rungs_of(mpd: Mpd) -> tuple[Rung, ...]:
    """The Representations that :func:`offered` lists, as rungs, in the same order."""
    rungs: list[Rung] = []
    numbers, protections = _Numbers(), protections_of(mpd)
    for position, (period, sets) in enumerate(_offer(mpd)):
        entries = entries_of(sets, protections)
        pictures = _pictures(entries, numbers)
        serves = serves_of(period, entries)
        for entry, picture, served in zip(entries, pictures, serves, strict=True):
            at = len(rungs)
            rungs.append(_rung(entry, at, position, picture, numbers.playability(entry), served))
    return tuple(rungs)


def offered(mpd: Mpd) -> list[Representation]:
    """The Representations that the rungs stand for. One without @bandwidth is no rung (E9)."""
    return [
        representation
        for _, sets in _offer(mpd)
        for found in sets
        for representation in found.representations
        if representation.bandwidth is not None
    ]


def _offer(mpd: Mpd) -> Iterator[tuple[Period, Sequence[AdaptationSet]]]:
    """The sets of each Period that are rungs: those of video, else of audio."""
    for period in mpd.periods:
        sets = [
            found
            for found in period.adaptation_sets
            if found.representations and not found.is_trick_mode and not found.is_thumbnails
        ]
        video = [found for found in sets if found.content_type == "video"]
        yield period, video or [found for found in sets if found.content_type == "audio"]


class _Numbers:
    """Numbers for values that are equal, over all Periods."""

    def __init__(self) -> None:
        self._encodings: dict[object, int] = {}
        self._playabilities: dict[object, int] = {}
        self._kinds: dict[tuple[str, ...], frozenset[str]] = {}

    def encoding(self, entry: Entry) -> int:
        """Equal for Representations that differ in nothing but their bit rate."""
        found = entry.representation
        shown = (entry.shows, entry.traits.is_immersive, entry.traits.is_skippable)
        size = (found.width, found.height, found.frame_rate)
        key = (found.families, found.video_range, *size, *shown)
        return self._encodings.setdefault(key, len(self._encodings))

    def playability(self, entry: Entry) -> int:
        """Equal for Representations that a player plays or drops alike (G5)."""
        codecs = entry.codecs
        if codecs not in self._kinds:
            self._kinds[codecs] = frozenset(map(kind_of, codecs))
        key = (self._kinds[codecs], entry.representation.video_range, entry.traits)
        return self._playabilities.setdefault(key, len(self._playabilities))


def _pictures(entries: Sequence[Entry], numbers: _Numbers) -> list[tuple[int, int]]:
    """The picture of each entry. The n-th bit rate of one encoding is the same picture as that for
    another key system, or in another Period."""
    groups = [(entry.traits.systems, numbers.encoding(entry)) for entry in entries]
    steps = steps_within(groups, [entry.bandwidth for entry in entries])
    return [(encoding, step) for (_, encoding), step in zip(groups, steps, strict=True)]


def _rung(
    entry: Entry,
    index: int,
    period: int,
    picture: tuple[int, int],
    playability: int,
    serves: frozenset[str],
) -> Rung:
    found, traits = entry.representation, entry.traits
    has_video = entry.of.content_type == "video"
    families = families_of(entry.codecs)
    return Rung(
        index=index,
        bandwidth=entry.bandwidth,
        average_bandwidth=None,
        height=shorter_side(found),
        stated_height=found.height,
        frame_rate=found.frame_rate,
        codecs=entry.codecs,
        families=families,
        other_video=has_video and has_other_video(entry.codecs, families),
        video_range=found.video_range,
        immersive=traits.is_immersive,
        has_video=has_video,
        skippable=traits.is_skippable,
        audio_group=None,
        pathway=".",
        picture=picture,
        playability=playability,
        period=period,
        serves=serves,
    )


def shorter_side(representation: Representation) -> int | None:
    """The shorter side in pixels; the height where no width is stated."""
    width, height = representation.width, representation.height
    return height if width is None or height is None else min(width, height)


def _version(rungs: Iterable[Rung]) -> str:
    """Text that is equal for equal ladders, in every process (sets have no order of their own)."""
    digest = blake2b(digest_size=8)
    for rung in rungs:
        line = [sorted(value) if isinstance(value, frozenset) else value for value in _values(rung)]
        digest.update(repr(line).encode())
    return digest.hexdigest()
