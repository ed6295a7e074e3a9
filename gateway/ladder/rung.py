"""What is a rung, and what may limit it? Values that HLS and DASH share."""

from dataclasses import dataclass

from manifests.codecs import CodecFamily, VideoRange


@dataclass(frozen=True, slots=True)
class Rung:
    """One entry of a ladder: an HLS variant stream, later a DASH Representation.

    ``bandwidth`` is the peak in bit/s (BANDWIDTH, rule A6.2). ``height`` is the shorter side in
    pixels, so that portrait video is judged alike. ``families`` is empty when the source does not
    say. ``video_range`` None: a value that nobody knows. ``encoding`` names the video encoding
    without its bit rate and audio: entries with equal ``encoding`` and ``step`` are one picture
    with different audio groups, pathways or addresses.
    """

    index: int
    bandwidth: int
    height: int | None
    frame_rate: float | None
    families: frozenset[CodecFamily]
    video_range: VideoRange | None
    immersive: bool
    has_video: bool
    audio_group: str | None
    encoding: tuple[object, ...]
    step: int

    @property
    def picture(self) -> tuple[object, ...]:
        """Equal for entries that show the same picture."""
        return (*self.encoding, self.step)


@dataclass(frozen=True, slots=True)
class Constraints:
    """Profile, device and request limits, merged; None means no limit.

    ``max_bandwidth`` in bit/s, heights in pixels. ``wanted_codecs`` is the request's own list and
    is never relaxed; ``allowed_codecs`` is the profile's; ``device_codecs`` is what the device may
    decode. ``start_bandwidth`` in bit/s is where playback should start. ``untouched`` keeps the
    source's order.
    """

    max_bandwidth: int | None = None
    max_height: int | None = None
    min_height: int | None = None
    max_frame_rate: float | None = None
    wanted_codecs: frozenset[CodecFamily] | None = None
    allowed_codecs: frozenset[CodecFamily] | None = None
    device_codecs: frozenset[CodecFamily] | None = None
    video_ranges: frozenset[VideoRange] | None = None
    immersive: bool = True
    audio_only: bool = True
    min_rungs: int = 1
    start_bandwidth: int | None = None
    untouched: bool = False
