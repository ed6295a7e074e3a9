"""Which codec family does an RFC 6381 codecs element belong to?"""

from collections.abc import Collection, Iterable
from enum import StrEnum


class CodecFamily(StrEnum):
    """Video codec families, by the names used in config and in the ``codecs`` query parameter."""

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
    "av1": CodecFamily.AV1,  # as in WebM
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


def families_of(codecs: Iterable[str]) -> frozenset[CodecFamily]:
    """The video families of codecs elements."""
    return frozenset([family for family in map(family_of, codecs) if family is not None])


# Sample entries of audio and text. An entry in no table is unknown: its kind is never guessed.
_AUDIO_AND_TEXT = frozenset(
    {
        *("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3", "vorbis", "iamf"),
        *("dtsc", "dtse", "dtsh", "dtsl", "dtsx", "mha1", "mha2", "mhm1", "mhm2", "samr", "sawb"),
        *("wvtt", "stpp", "tx3g", "c608", "c708"),
    }
)
_OTHER_VIDEO = frozenset(
    {
        *("mp4v", "s263", "vp8", "vp08", "vvc1", "vvi1", "lvc1", "apv1", "mjpg", "jpeg", "theora"),
    }
)


def is_video(codec: str) -> bool | None:
    """True when a codecs element is video, None when its sample entry is in no table."""
    entry = codec.strip().partition(".")[0].lower()
    if entry in _SAMPLE_ENTRIES or entry in _OTHER_VIDEO:
        return True
    return False if entry in _AUDIO_AND_TEXT else None


def has_other_video(codecs: Iterable[str], families: Collection[CodecFamily]) -> bool:
    """Whether codecs elements, of which ``families`` are the known ones, name video of no known
    family. An element that is neither known audio nor known video counts as video if no other
    element is video."""
    return any(
        is_video(codec) or (is_video(codec) is None and not families)
        for codec in codecs
        if family_of(codec) is None
    )


# MPEG-4 audio object types that differ only in bit rate tools: AAC-LC, HE-AAC and HE-AAC v2.
_AAC = frozenset({"mp4a", "mp4a.40", "mp4a.40.2", "mp4a.40.02", "mp4a.40.5", "mp4a.40.05"}) | {
    "mp4a.40.29"
}


def kind_of(codec: str) -> str:
    """Text that is equal for codecs elements which a player plays alike (G5).

    Levels make no difference, nor do the profiles of H.264 and of most audio. Sample entries do
    (``hvc1``, ``hev1``), and so do the profiles of newer video codecs, such as HEVC Main and
    Main 10.
    """
    text = codec.strip().lower()
    if text in _AAC:
        return "aac"
    entry, _, rest = text.partition(".")
    if entry == "mp4a":
        return text
    if entry in _SAMPLE_ENTRIES and not entry.startswith("avc"):
        return f"{entry}.{rest.partition('.')[0]}"
    return entry
