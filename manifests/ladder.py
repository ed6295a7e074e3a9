"""The rungs of a ladder that an operator configures instead of a source manifest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratedRung:
    """One variant to list: ``bandwidth`` is the peak in bit/s (A6.2), sizes are in pixels.

    ``width`` None means 16:9, rounded to an even number. ``codecs`` is an RFC 6381 list, None when
    unknown; ``frame_rate`` is frames/s.
    """

    uri: str
    bandwidth: int
    height: int
    width: int | None = None
    codecs: str | None = None
    frame_rate: float | None = None
