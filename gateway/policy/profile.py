"""What may be played under a named profile?"""

from dataclasses import dataclass

from manifests.codecs import CodecFamily, VideoRange


@dataclass(frozen=True, slots=True)
class Profile:
    """An operator's named limits; None means no limit.

    ``max_bitrate_kbps`` limits the peak BANDWIDTH of a variant, ``max_height`` its height in pixels
    (for portrait video, the shorter side), and ``max_frame_rate`` its frames per second. Only the
    families in ``codecs`` and the ranges in ``video_range`` may be listed. Playback starts near
    ``start_bitrate_kbps``, or at ``headroom`` (a share, 0 to 1) of the measured speed. At least
    ``min_rungs`` rungs stay, even if they exceed the caps. With ``device_limits`` False, the
    device's capabilities limit nothing.
    """

    name: str
    max_bitrate_kbps: int | None = None
    max_height: int | None = None
    max_frame_rate: float | None = None
    codecs: frozenset[CodecFamily] | None = None
    video_range: frozenset[VideoRange] | None = None
    start_bitrate_kbps: int | None = None
    min_rungs: int = 1
    headroom: float = 0.8
    device_limits: bool = True

    @property
    def keeps_everything(self) -> bool:
        """Whether the source's playlist passes unchanged, except for its URIs."""
        caps = (
            self.max_bitrate_kbps,
            self.max_height,
            self.max_frame_rate,
            self.codecs,
            self.video_range,
            self.start_bitrate_kbps,
        )
        return not self.device_limits and all(cap is None for cap in caps)
