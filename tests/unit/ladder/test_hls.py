"""From rungs to an edit: I-frame playlists, renditions, captions; and from variants to rungs."""

from dataclasses import replace

import pytest

from gateway.ladder.rung import Constraints
from gateway.play.hls.ladder import rungs_of
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import parse
from tests.unit.ladder.sources import AAC, AVC, HEVC, fitted, iframes, media, playlist, variant

AVC_ONLY = frozenset({CodecFamily.AVC})
SDR_ONLY = frozenset({VideoRange.SDR})
FIRST = "#EXTM3U\n"
PQ, HLG, STEREO = "VIDEO-RANGE=PQ", "VIDEO-RANGE=HLG", 'REQ-VIDEO-LAYOUT="CH-STEREO"'
# The caps leave one HEVC variant, of another range or layout than the I-frame playlists of HEVC.
LEFT_BY_THE_CAPS = [
    variant("p", 1900, "960x540", HEVC, PQ),
    variant("s", 3400, "1280x720", HEVC),
    variant("h", 3400, "1280x720", HEVC, HLG),
    variant("t", 3400, "1280x720", HEVC, STEREO),
    variant("a", 1100, "768x432", AVC),
    iframes("i", 90, "768x432", AVC),
]
CAPS = Constraints(max_bandwidth=2_500_000, max_height=1080)


@pytest.mark.parametrize(
    ("entries", "limits", "expected"),
    [
        (
            [
                variant("v", 500, "640x360"),
                iframes("i", 50, "640x360"),
                iframes("j", 99, "1280x720"),
            ],
            Constraints(max_height=360),
            "i",
        ),
        (
            [
                variant("v", 500, "640x360"),
                iframes("i", 50, "640x360"),
                iframes("j", 99, "640x360"),
            ],
            Constraints(max_bandwidth=90_000),
            "i",
        ),
        (  # one at least, while its family has a variant
            [
                variant("v", 500, "640x360"),
                iframes("i", 60, "640x360"),
                iframes("j", 50, "640x360"),
            ],
            Constraints(max_bandwidth=40_000),
            "j",
        ),
        (  # a least height, or a low bit rate, is no reason to drop one
            [variant("v", 500, "640x360"), iframes("i", 1, "256x144")],
            Constraints(min_height=360),
            "i",
        ),
        (
            [
                variant("a", 500, codecs=AVC),
                variant("h", 400, codecs=HEVC),
                iframes("i", 50, codecs=AVC),
                iframes("j", 40, codecs=HEVC),
            ],
            Constraints(device_codecs=AVC_ONLY),
            "i",
        ),
        (
            [
                variant("s", 500, codecs=HEVC),
                variant("p", 500, codecs=HEVC, more="VIDEO-RANGE=PQ"),
                iframes("i", 50, codecs=HEVC),
                iframes("j", 50, codecs=HEVC, more="VIDEO-RANGE=PQ"),
            ],
            Constraints(device_ranges=SDR_ONLY),
            "i",
        ),
        (  # nothing of its kind has left, so it is nobody's business
            [variant("a", 500), variant("b", 900), iframes("i", 50, codecs="mjpg")],
            Constraints(max_bandwidth=600_000),
            "i",
        ),
        (
            [
                variant("a", 500, more='PATHWAY-ID="A"'),
                variant("b", 500, more='PATHWAY-ID="B"'),
                iframes("i", 50, more='PATHWAY-ID="A"'),
                iframes("j", 50, more='PATHWAY-ID="B"'),
            ],
            Constraints(max_bandwidth=1),
            "i j",
        ),
        (
            [
                variant("a", 500),
                variant("s", 900, codecs=HEVC, more='REQ-VIDEO-LAYOUT="CH-STEREO"'),
                iframes("i", 50),
                iframes("j", 50, codecs=HEVC, more='REQ-VIDEO-LAYOUT="CH-STEREO"'),
            ],
            Constraints(immersive=False),
            "i",
        ),
        (  # HEVC has left, but its I-frames were the only ones: nothing of H.264 to keep
            [variant("a", 500), variant("h", 400, codecs=HEVC), iframes("j", 40, codecs=HEVC)],
            Constraints(device_codecs=AVC_ONLY),
            "",
        ),
        (  # one of another range is better than none
            [*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC), iframes("k", 99, codecs=HEVC)],
            CAPS,
            "i j",
        ),
        (  # but not than one of the same, however large
            [*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC), iframes("k", 5000, "", HEVC, PQ)],
            CAPS,
            "i k",
        ),
        (
            [*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC, more=HLG)],
            replace(CAPS, device_ranges=frozenset({VideoRange.SDR, VideoRange.PQ})),
            "i",
        ),
        (
            [*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC, more=HLG)],
            replace(CAPS, allowed_ranges=frozenset({VideoRange.SDR, VideoRange.PQ})),
            "i",
        ),
        ([*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC, more=STEREO)], CAPS, "i j"),
        (
            [*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC, more=STEREO)],
            replace(CAPS, immersive=False),
            "i",
        ),
        (
            [*LEFT_BY_THE_CAPS, iframes("j", 90, codecs=HEVC, more='REQ-FUTURE="x"')],
            CAPS,
            "i",
        ),
        (  # the device's range was given up, for variants and so for I-frame playlists
            [
                variant("p", 1900, codecs=HEVC, more=PQ),
                variant("h", 3400, codecs=HEVC, more=HLG),
                iframes("j", 90, codecs=HEVC, more=HLG),
            ],
            replace(CAPS, device_ranges=SDR_ONLY),
            "j",
        ),
        (  # and so was the layout
            [
                variant("t", 1900, codecs=HEVC, more=f"{STEREO},{PQ}"),
                variant("s", 3400, codecs=HEVC, more=STEREO),
                variant("a", 1100, codecs=AVC, more=STEREO),
                iframes("j", 90, codecs=HEVC, more=STEREO),
            ],
            replace(CAPS, immersive=False),
            "j",
        ),
    ],
)
def test_iframe_playlists(entries: list[str], limits: Constraints, expected: str) -> None:
    """A7.2: by the same policy as variants, and one of a family that stays at least."""
    kept = parse(fitted(playlist(*entries), limits)[0])
    assert expected == " ".join(entry.uri for entry in kept.iframes)


@pytest.mark.parametrize(
    ("before", "limits", "after"),
    [
        (  # a group goes with the last variant that named it; what nobody named stays
            [
                media("AUDIO", "aac"),
                media("AUDIO", "ec3"),
                media("AUDIO", "orphan"),
                media("SUBTITLES", "ec3"),
                variant("a", 500, more='AUDIO="aac",SUBTITLES="ec3"'),
                variant("b", 900, "1280x720", more='AUDIO="ec3"'),
            ],
            Constraints(max_bandwidth=600_000),
            [
                media("AUDIO", "aac"),
                media("AUDIO", "orphan"),
                media("SUBTITLES", "ec3"),
                variant("a", 500, more='AUDIO="aac",SUBTITLES="ec3"'),
            ],
        ),
        (  # a whole group or nothing of it (A8.9)
            [
                media("AUDIO", "g", "en"),
                media("AUDIO", "g", "de"),
                variant("a", 500, more='AUDIO="g"'),
                variant("b", 900, more='AUDIO="g"'),
            ],
            Constraints(max_bandwidth=600_000),
            [
                media("AUDIO", "g", "en"),
                media("AUDIO", "g", "de"),
                variant("a", 500, more='AUDIO="g"'),
            ],
        ),
        (  # captions and NONE
            [
                media("CLOSED-CAPTIONS", "cc"),
                media("CLOSED-CAPTIONS", "dd"),
                variant("a", 500, more='CLOSED-CAPTIONS="cc"'),
                variant("b", 900, more='CLOSED-CAPTIONS="dd"'),
            ],
            Constraints(max_bandwidth=600_000),
            [media("CLOSED-CAPTIONS", "cc"), variant("a", 500, more='CLOSED-CAPTIONS="cc"')],
        ),
        (
            [
                variant("a", 500, more="CLOSED-CAPTIONS=NONE"),
                variant("b", 900, more="CLOSED-CAPTIONS=NONE"),
            ],
            Constraints(max_bandwidth=600_000),
            [variant("a", 500, more="CLOSED-CAPTIONS=NONE")],
        ),
        (  # VIDEO groups, of which one is named by I-frames only
            [
                media("VIDEO", "sd"),
                media("VIDEO", "hd"),
                media("VIDEO", "trick"),
                variant("a", 500, "640x360", more='VIDEO="sd"'),
                variant("b", 900, "1280x720", more='VIDEO="hd"'),
                iframes("i", 50, "640x360", more='VIDEO="trick"'),
                iframes("j", 99, "1280x720", more='VIDEO="hd"'),
            ],
            Constraints(max_height=360),
            [
                media("VIDEO", "sd"),
                media("VIDEO", "trick"),
                variant("a", 500, "640x360", more='VIDEO="sd"'),
                iframes("i", 50, "640x360", more='VIDEO="trick"'),
            ],
        ),
        (  # what an I-frame playlist still names stays
            [
                media("VIDEO", "hd"),
                variant("a", 500, "640x360"),
                variant("b", 900, "1280x720", more='VIDEO="hd"'),
                iframes("i", 50, "640x360", more='VIDEO="hd"'),
            ],
            Constraints(max_height=360),
            [
                media("VIDEO", "hd"),
                variant("a", 500, "640x360"),
                iframes("i", 50, "640x360", more='VIDEO="hd"'),
            ],
        ),
        (  # a reference that dangled in the source is the source's own
            [variant("a", 500, more='AUDIO="gone"'), variant("b", 900)],
            Constraints(max_bandwidth=600_000),
            [variant("a", 500, more='AUDIO="gone"')],
        ),
        (  # SCORE: all of them keep theirs (A11.6), or none has one
            [
                variant("a", 500, more="SCORE=1.0"),
                variant("b", 900, more="SCORE=2.5"),
                variant("c", 700, more="SCORE=1.5"),
            ],
            Constraints(max_bandwidth=800_000),
            [variant("c", 700, more="SCORE=1.5"), variant("a", 500, more="SCORE=1.0")],
        ),
        (  # REQ-VIDEO-LAYOUT: the variant goes, never its attribute (A6.10)
            [
                variant("f", 500, codecs=HEVC),
                variant("s", 900, codecs=HEVC, more='REQ-VIDEO-LAYOUT="CH-STEREO/PROJ-EQUI"'),
                variant("t", 900, codecs=HEVC, more='REQ-VIDEO-LAYOUT="CH-MONO,CH-STEREO"'),
                variant("m", 700, codecs=HEVC, more='REQ-VIDEO-LAYOUT="CH-MONO/PROJ-RECT"'),
            ],
            Constraints(immersive=False),
            [
                variant("m", 700, codecs=HEVC, more='REQ-VIDEO-LAYOUT="CH-MONO/PROJ-RECT"'),
                variant("f", 500, codecs=HEVC),
            ],
        ),
    ],
)
def test_what_belongs_to_variants(before: list[str], limits: Constraints, after: list[str]) -> None:
    """Byte for byte: renditions leave with what named them, and nothing else changes."""
    data, _ = fitted(playlist(*before), limits)
    assert FIRST + "\n".join([*after, ""]) == data.decode()


@pytest.mark.parametrize(
    ("size", "codecs", "more", "expected"),
    [
        ("1280x720", AVC, "", (720, AVC_ONLY, False, True, False, False)),
        ("720x1280", AVC, "", (720, AVC_ONLY, False, True, False, False)),
        ("1280x720", "", "", (720, frozenset(), False, True, False, False)),
        ("", "", "", (None, frozenset(), False, True, False, False)),
        ("", AAC, "", (None, frozenset(), False, False, False, False)),
        # Whoever writes RESOLUTION has pictures, though the codecs of sound alone are listed.
        ("1280x720", AAC, "", (720, frozenset(), False, True, False, False)),
        ("1280x720", f"vvc1.1,{AAC}", "", (720, frozenset(), True, True, False, False)),
        ("1280x720", f"new1.1,{AAC}", "", (720, frozenset(), True, True, False, False)),
        # Beside H.264, what nobody knows is taken for sound or text.
        ("1280x720", f"{AVC},apac.31.00", "", (720, AVC_ONLY, False, True, False, False)),
        ("", AVC, 'REQ-FUTURE="x"', (None, AVC_ONLY, False, True, False, True)),
        ("", AVC, 'REQ-VIDEO-LAYOUT="PROJ-RECT"', (None, AVC_ONLY, False, True, False, False)),
        ("", AVC, 'REQ-VIDEO-LAYOUT="PROJ-HEQU"', (None, AVC_ONLY, False, True, True, False)),
        ("", AVC, 'REQ-VIDEO-LAYOUT="PROJ-NEW"', (None, AVC_ONLY, False, True, True, True)),
        ("", AVC, 'REQ-VIDEO-LAYOUT="CH-MONO,"', (None, AVC_ONLY, False, True, True, True)),
        ("", AVC, 'REQ-VIDEO-LAYOUT=""', (None, AVC_ONLY, False, True, True, True)),
    ],
)
def test_a_variant_as_a_rung(
    size: str, codecs: str, more: str, expected: tuple[object, ...]
) -> None:
    """Height is the shorter side, and codecs that nobody knows are told from none at all."""
    (rung,) = rungs_of(playlist(variant("v", 500, size, codecs, more)))
    assert expected == (
        rung.height,
        rung.families,
        rung.other_video,
        rung.has_video,
        rung.immersive,
        rung.skippable,
    )
