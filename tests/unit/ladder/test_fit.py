"""The fit: every cap, and every limit that is given up, in the written order."""

import pytest

from gateway.ladder.fit import NothingToPlayError, fit
from gateway.ladder.rung import Constraints
from gateway.play.hls.ladder import rungs_of
from manifests.codecs import CodecFamily, VideoRange
from tests.unit.ladder.sources import (
    AAC,
    AVC,
    HEVC,
    fitted,
    iframes,
    media,
    playlist,
    uris,
    variant,
)

LADDER = [
    variant("240", 200, "426x240"),
    variant("360", 500, "640x360"),
    variant("720", 1200, "1280x720"),
    variant("1080", 2500, "1920x1080"),
]
FAMILY, RANGE = CodecFamily, VideoRange
SPATIAL = 'REQ-VIDEO-LAYOUT="CH-STEREO"'
DOLBY = "dvh1.05.06,mp4a.40.2"


def only(*values: CodecFamily) -> frozenset[CodecFamily]:
    """A set of codec families."""
    return frozenset(values)


def ranges(*values: VideoRange) -> frozenset[VideoRange]:
    """A set of video ranges."""
    return frozenset(values)


@pytest.mark.parametrize(
    ("limits", "expected", "code"),
    [
        (Constraints(), "240 360 720 1080", None),
        (Constraints(max_bandwidth=1_200_000), "240 360 720", "caps"),
        (Constraints(max_bandwidth=1_199_999), "240 360", "caps"),
        (Constraints(max_height=720), "240 360 720", "caps"),
        (Constraints(max_height=719), "240 360", "caps"),
        (Constraints(max_bandwidth=600_000, max_height=720), "240 360", "caps"),
        (Constraints(max_bandwidth=199_999), "240", "caps-relaxed"),
        (Constraints(max_height=100), "240", "caps-relaxed"),
        (Constraints(min_height=360), "360 720 1080", "min-resolution"),
        (Constraints(min_height=480), "720 1080", "min-resolution"),
        (Constraints(min_height=2160), "1080", "min-resolution-relaxed"),
        (Constraints(min_height=720, max_height=480), "360", "min-resolution-relaxed"),
        (Constraints(min_height=720, max_bandwidth=1), "240", "min-resolution-relaxed"),
    ],
)
def test_bit_rates_and_heights(limits: Constraints, expected: str, code: str | None) -> None:
    """Caps include their own value; where nothing fits the lowest rung stays (A11.1)."""
    kept, codes = uris(LADDER, limits)
    assert expected.split() == sorted(kept.split(), key=int)
    assert code is None or code in codes


@pytest.mark.parametrize(
    ("entries", "limits", "expected", "codes"),
    [
        (  # portrait video is judged by its shorter side
            [variant("p", 900, "720x1280"), variant("q", 2000, "1080x1920")],
            Constraints(max_height=720),
            "p",
            ["caps"],
        ),
        (  # nobody knows how high it is, so no height keeps it out
            [variant("a", 100), variant("b", 900), variant("c", 950, "1920x1080")],
            Constraints(max_height=240),
            "b a",
            ["caps"],
        ),
        (  # nor does a least height
            [variant("a", 100), variant("b", 900, "640x360")],
            Constraints(min_height=720),
            "b a",
            ["min-resolution-relaxed"],
        ),
        (
            [variant("a", 100), variant("b", 900)],
            Constraints(min_height=720),
            "b a",
            [],
        ),
        (
            [variant("a", 100, more="FRAME-RATE=25"), variant("b", 900, more="FRAME-RATE=50")],
            Constraints(max_frame_rate=30.0),
            "a",
            ["frame-rate"],
        ),
        (
            [variant("a", 100, more="FRAME-RATE=29.970"), variant("b", 900)],
            Constraints(max_frame_rate=29.97),
            "b a",
            [],
        ),
        (
            [variant("a", 100, more="FRAME-RATE=50"), variant("b", 900, more="FRAME-RATE=60")],
            Constraints(max_frame_rate=30.0),
            "b a",
            ["frame-rate-relaxed"],
        ),
        (  # a bit-rate cap is given up before a frame rate that the device cannot show
            [variant("a", 900, more="FRAME-RATE=30"), variant("b", 100, more="FRAME-RATE=60")],
            Constraints(max_frame_rate=30.0, max_bandwidth=200_000),
            "a",
            ["frame-rate", "caps-relaxed"],
        ),
        (
            [variant("a", 100, codecs=AVC), variant("h", 90, codecs=HEVC)],
            Constraints(device_codecs=only(FAMILY.AVC)),
            "a",
            ["device-codecs"],
        ),
        (  # H.264 is withheld from nobody (B1)
            [variant("a", 100, codecs=AVC), variant("h", 90, codecs=HEVC)],
            Constraints(device_codecs=only(FAMILY.VP9)),
            "a",
            ["device-codecs"],
        ),
        (
            [variant("h", 90, codecs=HEVC), variant("d", 95, codecs=DOLBY)],
            Constraints(device_codecs=only(FAMILY.AVC)),
            "d h",
            ["device-codecs-relaxed"],
        ),
        (
            [variant("a", 100, codecs=AVC), variant("h", 90, codecs=HEVC)],
            Constraints(allowed_codecs=only(FAMILY.HEVC)),
            "h",
            ["profile-codecs"],
        ),
        (
            [variant("a", 100, codecs=AVC)],
            Constraints(allowed_codecs=only(FAMILY.AV1)),
            "a",
            ["profile-codecs-relaxed"],
        ),
        (  # the profile's codecs are given up before the device's
            [variant("a", 100, codecs=AVC), variant("h", 90, codecs=HEVC)],
            Constraints(device_codecs=only(FAMILY.AVC), allowed_codecs=only(FAMILY.HEVC)),
            "a",
            ["device-codecs", "profile-codecs-relaxed"],
        ),
        (  # video of a family that nobody here can judge is no H.264
            [variant("a", 100, codecs=AVC), variant("v", 90, codecs="vvc1.1.L51.CQA,mp4a.40.2")],
            Constraints(device_codecs=only(FAMILY.AVC)),
            "a",
            ["device-codecs"],
        ),
        (
            [variant("s", 100), variant("p", 90, more="VIDEO-RANGE=PQ")],
            Constraints(device_ranges=ranges(RANGE.SDR)),
            "s",
            ["device-range"],
        ),
        (
            [variant("x", 100, more="VIDEO-RANGE=XDR"), variant("s", 90)],
            Constraints(device_ranges=ranges(*RANGE)),
            "s",
            ["variants-ignored", "beside"],
        ),
        (
            [variant("p", 90, more="VIDEO-RANGE=PQ")],
            Constraints(device_ranges=ranges(RANGE.SDR)),
            "p",
            ["device-range-relaxed"],
        ),
        (  # the profile's range is given up before the device's
            [variant("s", 100), variant("p", 90, more="VIDEO-RANGE=PQ")],
            Constraints(device_ranges=ranges(RANGE.SDR), allowed_ranges=ranges(RANGE.PQ)),
            "s",
            ["device-range", "profile-range-relaxed"],
        ),
        (
            [variant("s", 100), variant("p", 90, more="VIDEO-RANGE=PQ")],
            Constraints(allowed_ranges=ranges(RANGE.SDR)),
            "s",
            ["profile-range"],
        ),
        (  # a range is given up before immersive video is shown on a flat screen
            [
                variant("i", 100, codecs=HEVC, more=SPATIAL),
                variant("p", 90, codecs=HEVC, more="VIDEO-RANGE=PQ"),
            ],
            Constraints(immersive=False, device_ranges=ranges(RANGE.SDR)),
            "p",
            ["immersive", "device-range-relaxed"],
        ),
        (  # and flat pictures before codecs
            [
                variant("i", 100, codecs=HEVC, more=SPATIAL),
                variant("v", 90, codecs="vp09.00.10.08"),
            ],
            Constraints(immersive=False, device_codecs=only(FAMILY.HEVC)),
            "i",
            ["device-codecs", "immersive-relaxed"],
        ),
        (
            [variant("i", 100, codecs=HEVC, more=SPATIAL), variant("f", 90, codecs=HEVC)],
            Constraints(immersive=True),
            "i f",
            [],
        ),
        (
            [variant("a", 100, codecs=AVC), variant("h", 90, codecs=HEVC)],
            Constraints(wanted_codecs=only(FAMILY.HEVC)),
            "h",
            ["codecs-asked"],
        ),
        (  # what the client asks for goes before what is guessed of its device
            [variant("a", 100, codecs=AVC), variant("h", 90, codecs=HEVC)],
            Constraints(wanted_codecs=only(FAMILY.HEVC), device_codecs=only(FAMILY.AVC)),
            "h",
            ["codecs-asked", "device-codecs-relaxed"],
        ),
        (  # a source without CODECS has the benefit of the doubt
            [variant("a", 100, "640x360", codecs=""), variant("h", 90, codecs=HEVC)],
            Constraints(wanted_codecs=only(FAMILY.AVC)),
            "a",
            ["codecs-asked"],
        ),
    ],
)
def test_what_is_left_and_why(
    entries: list[str], limits: Constraints, expected: str, codes: list[str]
) -> None:
    """Each limit, and each that is given up, with its reason."""
    kept, found = uris(entries, limits)
    assert (expected, codes) == (kept, [code for code in found if not code.startswith("start-")])


@pytest.mark.parametrize("codecs", [AVC, "vvc1.1.L51.CQA", "xyz9.1"])
def test_the_codecs_asked_for_are_never_given_up(codecs: str) -> None:
    """Nothing in them is an error of its own (406), for codecs nobody knows, too."""
    rungs = rungs_of(playlist(variant("a", 100, "640x360", codecs)))
    with pytest.raises(NothingToPlayError, match="the request is limited: hevc"):
        fit(rungs, Constraints(wanted_codecs=only(FAMILY.HEVC)))


@pytest.mark.parametrize(
    ("entries", "limits", "expected", "code"),
    [
        (
            [variant("v", 500, "640x360"), variant("s", 64, codecs=AAC)],
            Constraints(),
            "v s",
            None,
        ),
        (  # tvOS must not be given audio-only variants (A11.7, B10)
            [variant("v", 500, "640x360"), variant("s", 64, codecs=AAC)],
            Constraints(audio_only=False),
            "v",
            "audio-only",
        ),
        (
            [variant("s", 64, codecs=AAC), variant("t", 128, codecs=AAC)],
            Constraints(audio_only=False),
            "t s",
            None,
        ),
        (  # a bit rate that only sound fits leaves a picture, all the same
            [variant("v", 500, "640x360"), variant("s", 64, codecs=AAC)],
            Constraints(max_bandwidth=100_000),
            "v s",
            "caps-relaxed",
        ),
        (
            [variant("v", 500, "640x360"), variant("s", 64, codecs=AAC)],
            Constraints(max_bandwidth=10_000),
            "v",
            "beside",
        ),
        (  # without any sign of pictures beside such with pictures, it counts as sound
            [variant("v", 500, "640x360"), variant("s", 64, codecs="")],
            Constraints(max_bandwidth=100_000),
            "v s",
            "caps-relaxed",
        ),
        (
            [variant("v", 500, codecs=""), variant("s", 64, codecs="")],
            Constraints(max_bandwidth=100_000),
            "s",
            "caps",
        ),
        (  # its audio group has left with every picture of it
            [
                variant("a", 500, "640x360", more='AUDIO="aac"'),
                variant("b", 900, "640x360", more='AUDIO="ec3"'),
                variant("s", 64, codecs=AAC, more='AUDIO="ec3"'),
                variant("t", 32, codecs=AAC, more='AUDIO="only"'),
            ],
            Constraints(max_bandwidth=600_000),
            "a t",
            "beside",
        ),
        (  # clients pass over a requirement that they do not know, so it is not a ladder (A2.1)
            [
                variant("q", 100, "640x360", more='REQ-FUTURE="x"'),
                variant("v", 500, "640x360"),
                variant("w", 900, "640x360"),
            ],
            Constraints(max_bandwidth=200_000),
            "v q",
            "caps-relaxed",
        ),
        (
            [
                variant("q", 100, "640x360", more='REQ-VIDEO-LAYOUT="CH-FOUR"'),
                variant("v", 500, "640x360"),
            ],
            Constraints(immersive=False),
            "v",
            "beside",
        ),
        (
            [variant("q", 100, "640x360", HEVC, 'REQ-FUTURE="x"'), variant("v", 500, "640x360")],
            Constraints(wanted_codecs=only(FAMILY.AVC)),
            "v",
            "beside",
        ),
        (
            [variant("q", 100, more='REQ-FUTURE="x"'), variant("r", 90, more='REQ-FUTURE="x"')],
            Constraints(max_bandwidth=90_000),
            "r",
            "caps",
        ),
    ],
)
def test_what_stands_beside_the_ladder(
    entries: list[str], limits: Constraints, expected: str, code: str | None
) -> None:
    """Audio-only and skippable entries go by the limits and are never all that is left."""
    kept, codes = uris(entries, limits)
    assert expected == kept
    assert code is None or code in codes


SOUND = [variant("s", 64, codecs=AAC), variant("t", 128, codecs=AAC)]
PICTURES = [
    variant("h", 90, "426x240", HEVC),
    variant("a", 200, "426x240"),
    variant("b", 900, "640x360"),
]


@pytest.mark.parametrize(
    ("entries", "limits", "expected", "codes"),
    [
        ([*PICTURES, *SOUND], Constraints(screen=False), "t s", ["no-screen"]),
        (
            [*PICTURES, *SOUND],
            Constraints(screen=False, max_bandwidth=100_000),
            "s",
            ["no-screen", "caps"],
        ),
        (
            [*PICTURES, *SOUND],
            Constraints(screen=False, max_bandwidth=10_000),
            "s",
            ["no-screen", "caps-relaxed"],
        ),
        (SOUND, Constraints(screen=False), "t s", []),
        (PICTURES, Constraints(screen=False), "a", ["no-screen-relaxed"]),
        (
            PICTURES,
            Constraints(screen=False, max_bandwidth=10_000, min_height=720),
            "a",
            ["no-screen-relaxed", "caps-relaxed", "min-resolution-relaxed"],
        ),
        (
            PICTURES,
            Constraints(screen=False, wanted_codecs=only(FAMILY.HEVC)),
            "h",
            ["no-screen-relaxed", "codecs-asked"],
        ),
        (  # clients skip the only sound (A2.1)
            [*PICTURES, variant("q", 64, codecs=AAC, more='REQ-FUTURE="x"')],
            Constraints(screen=False),
            "a q",
            ["no-screen-relaxed", "variants-ignored"],
        ),
        (  # without CODECS, nobody knows whether it has pictures
            [variant("a", 200, "426x240"), variant("s", 64, codecs="")],
            Constraints(screen=False),
            "a s",
            ["no-screen-relaxed"],
        ),
        (  # steering starts on a pathway without sound (C1.1)
            [
                '#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="B"',
                variant("a", 200, "426x240", more='PATHWAY-ID="B"'),
                variant("s", 64, codecs=AAC, more='PATHWAY-ID="A"'),
            ],
            Constraints(screen=False),
            "a s",
            ["no-screen-relaxed"],
        ),
        (  # the lowest rung, on each pathway
            [
                variant("a", 200, "426x240", more='PATHWAY-ID="A"'),
                variant("b", 200, "426x240", more='PATHWAY-ID="B"'),
                variant("c", 900, "640x360", more='PATHWAY-ID="B"'),
            ],
            Constraints(screen=False, min_rungs=2),
            "a b",
            ["no-screen-relaxed"],
        ),
    ],
)
def test_a_speaker_gets_sound(
    entries: list[str], limits: Constraints, expected: str, codes: list[str]
) -> None:
    """Audio-only rungs for a device without a screen; without any, the lowest rung, with a
    reason."""
    kept, found = uris(entries, limits)
    assert expected == kept
    assert codes == [code for code in found if not code.startswith("start-")]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "a"),
        (",DEFAULT=YES,AUTOSELECT=NO,FORCED=NO", "a"),
        (",DEFAULT=MAYBE", "b a"),
        (",AUTOSELECT=yes", "b a"),
        (',REQ-CODEC="x"', "b a"),
    ],
)
def test_audio_that_clients_ignore_is_none(more: str, expected: str) -> None:
    """A variant whose audio group has only renditions that clients ignore (A2.1) stays, but never
    counts as what is left; one other rendition, or audio in the variant itself, is enough."""
    entries = [
        media("AUDIO", "g") + more,
        variant("a", 400, "640x360", more='AUDIO="g"'),
        variant("b", 900, "640x360"),
    ]
    cap = Constraints(max_bandwidth=500_000)
    assert expected == uris(entries, cap)[0]
    assert "a" == uris([media("AUDIO", "g", "other"), *entries], cap)[0]
    muxed = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="muxed"'
    assert "a" == uris([muxed, *entries], cap)[0]


def test_a_speaker_gets_no_iframes() -> None:
    """I-frame playlists show pictures, whatever their codec (A7)."""
    source = playlist(*PICTURES, *SOUND, iframes("i", 50, "640x360", "av01.0.04M.08"))
    data, _ = fitted(source, Constraints(screen=False))
    assert b"I-FRAME" not in data


def test_reasons_are_sentences_with_figures() -> None:
    """What was left out is counted, with the limit that did it."""
    rungs = rungs_of(playlist(*LADDER))
    found = fit(rungs, Constraints(max_bandwidth=600_000, max_height=720, start_bandwidth=300_000))
    why = "the highest rung within the start bit rate"
    assert [
        "ladder: at most 600 kbit/s and 720p: 2 of 4 rungs removed [caps]",
        f"start: start on 240p at 200 kbit/s, {why} [start-within-speed]",
    ] == [str(reason) for reason in found.reasons]


def test_an_untouched_ladder_keeps_its_order() -> None:
    """With a profile that keeps everything, no rung moves to the front."""
    rungs = rungs_of(playlist(*reversed(LADDER)))
    found = fit(rungs, Constraints(untouched=True, start_bandwidth=1))
    assert ((0, 1, 2, 3), ()) == (found.kept, found.reasons)
