"""RFC 6381 codecs elements: their family, and whether they are video."""

import pytest

from manifests.codecs import CodecFamily, family_of, is_video


@pytest.mark.parametrize(
    ("codec", "family", "video"),
    [
        ("avc1.64001f", CodecFamily.AVC, True),
        ("avc3", CodecFamily.AVC, True),
        (" hvc1.2.4.L93.B0 ", CodecFamily.HEVC, True),
        ("HEV1.1", CodecFamily.HEVC, True),
        ("av01.0.04M.08", CodecFamily.AV1, True),
        ("vp09.00.10.08", CodecFamily.VP9, True),
        ("dvh1.05.06", CodecFamily.DOLBY_VISION, True),
        ("dav1.10.09", CodecFamily.DOLBY_VISION, True),
        ("mp4v.20.9", None, True),
        ("vvc1.1", None, True),
        ("mp4a.40.2", None, False),
        ("ec-3", None, False),
        ("Opus", None, False),
        ("fLaC", None, False),
        ("stpp.ttml.im1t", None, False),
        ("wvtt", None, False),
        ("new1.1", None, None),
        ("", None, None),
    ],
)
def test_codecs_are_told_apart(codec: str, family: CodecFamily | None, video: bool | None) -> None:
    """Case and white space do not matter, and an unknown entry is not guessed."""
    assert (family, video) == (family_of(codec), is_video(codec))
