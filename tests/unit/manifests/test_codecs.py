"""RFC 6381 codecs elements: their family, and whether they are video."""

import pytest

from manifests.codecs import CodecFamily, family_of, is_video, kind_of


@pytest.mark.parametrize(
    ("codec", "family", "video"),
    [
        ("avc1.64001f", CodecFamily.AVC, True),
        ("avc3", CodecFamily.AVC, True),
        (" hvc1.2.4.L93.B0 ", CodecFamily.HEVC, True),
        ("HEV1.1", CodecFamily.HEVC, True),
        ("av01.0.04M.08", CodecFamily.AV1, True),
        ("av1", CodecFamily.AV1, True),
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


@pytest.mark.parametrize(
    ("codec", "kind"),
    [
        ("avc1.64001f", "avc1"),
        ("avc1.42E01E", "avc1"),
        ("avc3.64001f", "avc3"),
        ("hvc1.1.6.L120.90", "hvc1.1"),
        ("hvc1.2.4.L150.B0", "hvc1.2"),
        ("hev1.2.4.L150.B0", "hev1.2"),
        ("dvh1.05.06", "dvh1.05"),
        ("vp9", "vp9."),
        ("mp4a.40.2", "aac"),
        ("MP4A.40.5", "aac"),
        ("mp4a.40.29", "aac"),
        ("mp4a", "aac"),
        ("mp4a.40.42", "mp4a.40.42"),  # xHE-AAC
        ("mp4a.a5", "mp4a.a5"),  # AC-3
        (" ac-3 ", "ac-3"),
        ("ac-4.02.01.03", "ac-4"),
        ("fLaC", "flac"),
        ("stpp.ttml.im1t", "stpp"),
        ("new1.1", "new1"),
    ],
)
def test_kinds_that_players_play_alike(codec: str, kind: str) -> None:
    """The sample entry, with the profile of a newer video codec; AAC is one kind."""
    assert kind == kind_of(codec)
