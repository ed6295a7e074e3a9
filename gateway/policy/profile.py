"""What may be played under a named profile?"""

from dataclasses import dataclass

from manifests.codecs import CodecFamily, VideoRange


@dataclass(frozen=True, slots=True)
class Profile:
    """An operator's named limits; None means no limit.

    ``max_bitrate_kbps`` bounds a variant's peak BANDWIDTH (kbit/s), ``max_height`` its height in
    pixels (the shorter side of portrait video), ``max_frame_rate`` its frames/s. ``codecs`` and
    ``video_range`` are what may be listed. Playback starts near ``start_bitrate_kbps``, or at
    ``headroom`` (a share of 0–1) of the measured speed. ``min_rungs`` rungs stay whatever the caps
    say. ``device_limits`` False serves whatever the source has, whatever the device.
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
        """True when the source's playlist passes untouched but for its URIs."""
        caps = (
            self.max_bitrate_kbps,
            self.max_height,
            self.max_frame_rate,
            self.codecs,
            self.video_range,
            self.start_bitrate_kbps,
        )
        return not self.device_limits and all(cap is None for cap in caps)
