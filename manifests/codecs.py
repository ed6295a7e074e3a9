"""Which codec family does an RFC 6381 codecs element belong to?"""

from enum import StrEnum


class CodecFamily(StrEnum):
    """The video families that operators and players name (``codecs=`` of the contract)."""

    AVC = "avc"
    HEVC = "hevc"
    AV1 = "av1"
    VP9 = "vp9"
    DOLBY_VISION = "dolby-vision"


class VideoRange(StrEnum):
    """VIDEO-RANGE of rule A6.9; absent means SDR."""

    SDR = "SDR"
    HLG = "HLG"
    PQ = "PQ"


_SAMPLE_ENTRIES = {
    "avc1": CodecFamily.AVC,
    "avc3": CodecFamily.AVC,
    "hvc1": CodecFamily.HEVC,
    "hev1": CodecFamily.HEVC,
    "av01": CodecFamily.AV1,
    "vp09": CodecFamily.VP9,
    "vp9": CodecFamily.VP9,
    "dvh1": CodecFamily.DOLBY_VISION,
    "dvhe": CodecFamily.DOLBY_VISION,
    "dva1": CodecFamily.DOLBY_VISION,
    "dvav": CodecFamily.DOLBY_VISION,
    "dav1": CodecFamily.DOLBY_VISION,
}


def family_of(codec: str) -> CodecFamily | None:
    """The video family of one codecs element (``avc1.64001f`` → ``avc``), None for any other."""
    return _SAMPLE_ENTRIES.get(codec.strip().partition(".")[0].lower())
