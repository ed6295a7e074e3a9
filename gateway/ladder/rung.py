"""What is a rung, and what may limit it? Values that HLS and DASH share."""

from dataclasses import dataclass

from manifests.codecs import CodecFamily, VideoRange


@dataclass(frozen=True, slots=True)
class Rung:
    """One entry of a ladder: an HLS variant stream, later a DASH Representation.

    ``bandwidth`` is the peak in bit/s (BANDWIDTH, rule A6.2). ``height`` is the shorter side in
    pixels, so that portrait video is judged alike. ``families`` is empty when the source does not
    say; ``other_video`` says that it names video of no family that anybody here can judge.
    ``video_range`` None: a value that nobody knows. ``skippable``: clients that do not understand
    the entry pass it over (rule A2.1), so it must never be the only one. ``picture`` is equal for
    entries of one ladder that show the same picture with other audio, on another pathway or at
    another address.
    """

    index: int
    bandwidth: int
    height: int | None
    frame_rate: float | None
    families: frozenset[CodecFamily]
    other_video: bool
    video_range: VideoRange | None
    immersive: bool
    has_video: bool
    skippable: bool
    audio_group: str | None
    pathway: str
    picture: tuple[int, int]

    def uses_only(self, families: frozenset[CodecFamily]) -> bool:
        """True when no codec outside ``families`` is named; a source that names none gets the
        benefit of the doubt."""
        return not self.other_video and self.families <= families


@dataclass(frozen=True, slots=True)
class Constraints:
    """Profile, device and request limits, merged; None means no limit.

    ``max_bandwidth`` in bit/s, heights in pixels. ``wanted_codecs`` is the request's own list and
    is never relaxed; ``allowed_codecs`` and ``allowed_ranges`` are the profile's; ``device_codecs``
    and ``device_ranges`` are what the device may decode and show. ``start_bandwidth`` in bit/s is
    where playback should start. ``untouched`` keeps the source's order.
    """

    max_bandwidth: int | None = None
    max_height: int | None = None
    min_height: int | None = None
    max_frame_rate: float | None = None
    wanted_codecs: frozenset[CodecFamily] | None = None
    allowed_codecs: frozenset[CodecFamily] | None = None
    device_codecs: frozenset[CodecFamily] | None = None
    allowed_ranges: frozenset[VideoRange] | None = None
    device_ranges: frozenset[VideoRange] | None = None
    immersive: bool = True
    audio_only: bool = True
    min_rungs: int = 1
    start_bandwidth: int | None = None
    untouched: bool = False
