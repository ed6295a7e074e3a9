"""What does an operator say of a ladder for which there is no source manifest?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratedRung:
    """One variant to announce: ``bandwidth`` is the peak in bit/s (A6.2), sizes are pixels.

    ``width`` None: that of a 16:9 picture, rounded to an even number. ``codecs`` is an RFC 6381
    list, None when unknown; ``frame_rate`` is frames/s.
    """

    uri: str
    bandwidth: int
    height: int
    width: int | None = None
    codecs: str | None = None
    frame_rate: float | None = None
