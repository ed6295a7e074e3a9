"""Ladders stay whole: audio groups, safe rungs, least counts, redundancy and pathways."""

import pytest

from gateway.ladder.fit import fit
from gateway.ladder.rung import Constraints
from gateway.play.hls.ladder import rungs_of
from manifests.codecs import CodecFamily, VideoRange
from tests.unit.ladder.sources import AVC, HEVC, fitted, playlist, uris, variant

STEERING = '#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="{}"'
AVC_ONLY = frozenset({CodecFamily.AVC})
HEVC_ONLY = frozenset({CodecFamily.HEVC})
SDR_ONLY = frozenset({VideoRange.SDR})
PQ = "VIDEO-RANGE=PQ"


def sounding(uri: str, kbps: int, size: str, group: str) -> str:
    """A variant with an audio group."""
    return variant(uri, kbps, size, more=f'AUDIO="{group}"')


def on(pathway: str, uri: str, kbps: int, size: str, more: str = "") -> str:
    """A variant on a pathway."""
    return variant(uri, kbps, size, more=",".join(filter(None, [f'PATHWAY-ID="{pathway}"', more])))


SURROUND = [
    sounding("low", 400, "640x360", "aac"),
    sounding("high", 1000, "1280x720", "aac"),
    sounding("low", 700, "640x360", "ec3"),
    sounding("high", 1300, "1280x720", "ec3"),
]


@pytest.mark.parametrize(
    ("entries", "kbps", "expected", "code"),
    [
        (SURROUND, 1300, [400, 1000, 700, 1300], None),
        # ec3 pushes "high" over the cap: the group goes, the picture stays.
        (SURROUND, 1299, [400, 1000], "audio-groups"),
        # Both groups carry what is left.
        (SURROUND, 700, [400, 700], "caps"),
        (SURROUND, 699, [400], "caps"),
        (SURROUND, 100, [400], "caps-relaxed"),
        # Each group for rungs of its own: there is nothing to make equal.
        (
            [
                sounding("a", 400, "640x360", "poor"),
                sounding("b", 1000, "1280x720", "rich"),
                sounding("c", 3000, "1920x1080", "rich"),
            ],
            2000,
            [400, 1000],
            "caps",
        ),
        # Groups that overlap without either being whole stay as they are.
        (
            [
                sounding("a", 400, "640x360", "one"),
                sounding("a", 3000, "640x360", "two"),
                sounding("b", 3000, "1280x720", "one"),
                sounding("b", 1000, "1280x720", "two"),
            ],
            2000,
            [400, 1000],
            "caps",
        ),
        # Muxed sound is a group like any other.
        (
            [variant("m", 400, "640x360"), *SURROUND[2:], variant("n", 900, "1280x720")],
            1000,
            [400, 900],
            "audio-groups",
        ),
    ],
)
def test_each_picture_for_each_audio_group(
    entries: list[str], kbps: int, expected: list[int], code: str | None
) -> None:
    """A11.4: what is kept of the pictures is kept for each audio group that is kept."""
    source = playlist(*entries)
    limits = Constraints(max_bandwidth=kbps * 1000, untouched=True)
    data, codes = fitted(source, limits)
    kept = [line for line in data.decode().splitlines() if "BANDWIDTH" in line]
    assert expected == [int(line.split("BANDWIDTH=")[1].split(",")[0]) // 1000 for line in kept]
    assert code is None or code in codes


def test_audio_groups_in_words() -> None:
    """Named by the source's own ids, escaped, so that a reason is always one printable line."""
    entries = [
        *SURROUND[:2],
        sounding("low", 700, "640x360", "\u200be\u00e9"),
        sounding("high", 1300, "1280x720", "\u200be\u00e9"),
        variant("low", 800, "640x360"),
        variant("high", 1400, "1280x720"),
    ]
    found = fit(rungs_of(playlist(*entries)), Constraints(max_bandwidth=1_200_000))
    assert (
        "ladder: with audio '\\u200be\\xe9', muxed some rungs exceed the limits: "
        "2 of 4 variants removed "
        "[audio-groups]"
    ) == str(found.reasons[1])


MIXED = [
    variant("h1", 145, "640x360", HEVC),
    variant("h2", 600, "1280x720", HEVC),
    variant("a1", 365, "640x360", AVC),
    variant("a2", 1100, "1280x720", AVC),
]
HDR = [
    variant("p1", 160, "640x360", HEVC, PQ),
    variant("s1", 300, "640x360", HEVC),
    variant("s2", 900, "1280x720", HEVC),
]


@pytest.mark.parametrize(
    ("entries", "limits", "expected"),
    [
        # H.264 stays, above the cap though it is.
        (MIXED, Constraints(max_bandwidth=200_000), "h1 a1"),
        (MIXED, Constraints(max_bandwidth=400_000), "h1 a1"),
        # What a device is thought to decode is a guess …
        (MIXED, Constraints(max_bandwidth=200_000, device_codecs=HEVC_ONLY), "h1 a1"),
        # … but a client may ask for what it knows to play …
        (MIXED, Constraints(max_bandwidth=200_000, wanted_codecs=AVC_ONLY | HEVC_ONLY), "h1"),
        # … and an operator may allow nothing else.
        (MIXED, Constraints(max_bandwidth=200_000, allowed_codecs=HEVC_ONLY), "h1"),
        # A profile that limits the ranges says nothing of codecs.
        (MIXED, Constraints(max_bandwidth=200_000, allowed_ranges=SDR_ONLY), "h1 a1"),
        # Without H.264 in the source, SDR alone is what is safe.
        (HDR, Constraints(max_bandwidth=200_000), "p1 s1"),
        (HDR, Constraints(max_bandwidth=200_000, device_ranges=frozenset(VideoRange)), "p1 s1"),
        (HDR, Constraints(max_bandwidth=200_000, allowed_ranges=frozenset({VideoRange.PQ})), "p1"),
        # Without SDR in the source, H.264 alone is.
        (
            [variant("p", 100, codecs=HEVC, more=PQ), variant("q", 900, codecs=AVC, more=PQ)],
            Constraints(max_bandwidth=200_000),
            "p q",
        ),
        # Without either there is nothing safe to add.
        ([variant("p", 100, codecs=HEVC, more=PQ)], Constraints(max_bandwidth=1), "p"),
    ],
)
def test_h264_and_sdr_stay(entries: list[str], limits: Constraints, expected: str) -> None:
    """B1: never only HEVC or HDR on a guess."""
    kept, codes = uris(entries, limits)
    assert sorted(expected.split()) == sorted(kept.split())
    assert (limits.max_bandwidth == 200_000 and " " in expected) == ("safe-rung-added" in codes)


def test_a_safe_rung_comes_for_every_audio_group_that_is_listed() -> None:
    """A11.4 holds for what was added, too; a group that is not listed does not come back."""
    entries = [
        variant("h", 100, "640x360", HEVC, 'AUDIO="aac"'),
        variant("h", 190, "640x360", HEVC, 'AUDIO="ec3"'),
        variant("a", 300, "640x360", AVC, 'AUDIO="aac"'),
        variant("a", 390, "640x360", AVC, 'AUDIO="ec3"'),
        variant("a", 900, "640x360", AVC, 'AUDIO="flac"'),
    ]
    assert "a a h h" == uris(entries, Constraints(max_bandwidth=200_000))[0]


COUNTED = [
    variant("c", 900, "1280x720"),
    variant("a", 100, "426x240"),
    variant("b", 400, "640x360"),
    variant("B", 400, "640x360"),
]


@pytest.mark.parametrize(
    ("limits", "within", "expected"),
    [
        (Constraints(max_bandwidth=100_000, min_rungs=1), 1, "a"),
        (Constraints(max_bandwidth=100_000, min_rungs=2), 1, "abB"),
        (Constraints(max_bandwidth=400_000, min_rungs=2), 2, "abB"),
        (Constraints(max_bandwidth=1, min_rungs=3), 1, "abBc"),
        (Constraints(max_bandwidth=1, min_rungs=9), 1, "abBc"),
        (Constraints(min_height=720, min_rungs=2), 1, "ac"),
        (Constraints(min_rungs=2), 3, "abBc"),
    ],
)
def test_least_number_of_rungs(limits: Constraints, within: int, expected: str) -> None:
    """The lowest pictures come back until there are enough; copies do not count twice."""
    kept, codes = uris(COUNTED, limits)
    assert sorted(expected) == sorted(kept.split())
    assert (len(set(kept.lower()) - {" "}) > within) == ("min-rungs-added" in codes)


def test_an_audio_group_that_comes_back_comes_with_every_picture() -> None:
    """A11.4: "g" is needed for the third rung, so it is there for the second, too."""
    entries = [
        variant("a", 250, "426x240"),
        variant("b", 250, "640x360"),
        sounding("b-g", 260, "640x360", "g"),
        sounding("c-g", 500, "640x360", "g"),
    ]
    kept, _ = uris(entries, Constraints(max_height=100, min_rungs=3))
    assert "a b b-g c-g" == " ".join(sorted(kept.split()))


def test_a_reason_names_the_entry_that_comes_back() -> None:
    """The picture comes back for the audio group that is listed, at that group's bit rate."""
    entries = [
        sounding("low-aac", 564, "640x360", "aac"),
        sounding("low-ac3", 884, "640x360", "ac3"),
        sounding("high-ac3", 1884, "960x540", "ac3"),
    ]
    found = fit(rungs_of(playlist(*entries)), Constraints(min_height=540, min_rungs=2))
    assert (2, 1) == found.kept
    assert "added because min_rungs is 2: 360p at 884 kbit/s" in [r.text for r in found.reasons]


def test_rungs_that_come_back_are_playable() -> None:
    """min_rungs is no reason to list what the device cannot decode."""
    limits = Constraints(min_rungs=3, max_bandwidth=1, device_codecs=AVC_ONLY)
    assert "a1 a2" == " ".join(sorted(uris(MIXED, limits)[0].split()))


SYMMETRIC = [
    entry
    for at in "AB"
    for entry in (
        on(at, f"{at}-low", 400, "640x360", f'AUDIO="aac-{at}"'),
        on(at, f"{at}-low", 700, "640x360", f'AUDIO="ec3-{at}"'),
        on(at, f"{at}-high", 1000, "1280x720", f'AUDIO="aac-{at}"'),
        on(at, f"{at}-high", 1300, "1280x720", f'AUDIO="ec3-{at}"'),
    )
]


@pytest.mark.parametrize(
    "limits",
    [
        Constraints(max_bandwidth=kbps * 1000, min_rungs=rungs, max_height=height)
        for kbps in (1, 400, 700, 1000, 1300)
        for rungs in (1, 2)
        for height in (None, 360)
    ],
)
def test_pathways_stay_symmetric(limits: Constraints) -> None:
    """C1.3: each pathway keeps the same rungs, whatever the limits."""
    data, _ = fitted(playlist(STEERING.format("B"), *SYMMETRIC), limits)
    kept = [line for line in data.decode().splitlines() if line.startswith("#EXT-X-STREAM-INF")]
    there = {
        at: {
            line.replace(f"-{at}", "").replace(f'"{at}"', "") for line in kept if f'"{at}"' in line
        }
        for at in "AB"
    }
    assert there["A"] == there["B"] != set()


def test_redundant_variants_stay_together() -> None:
    """A6.16: a rung and its backups, in their order, even where only the lowest rung stays."""
    entries = [
        variant("b1", 900, "640x360"),
        variant("a1", 400, "640x360"),
        variant("b2", 900, "640x360"),
        variant("a2", 400, "640x360"),
    ]
    assert "a1 a2" == uris(entries, Constraints(max_bandwidth=500_000))[0]
    assert "a1 a2" == uris(entries, Constraints(max_bandwidth=1))[0]


LOPSIDED = [
    on("A", "a", 400, "640x360"),
    on("B", "b", 900, "1280x720"),
    on("B", "c", 800, "768x432"),
]


@pytest.mark.parametrize(
    ("home", "limits", "expected"),
    [
        ("A", Constraints(max_bandwidth=500_000), "a"),
        ("B", Constraints(max_bandwidth=500_000), "c a"),
        ("C", Constraints(max_bandwidth=500_000), "a"),
        ("B", Constraints(), "b c a"),
        ("B", Constraints(start_bandwidth=1), "c b a"),
        ("A", Constraints(), "a b c"),
    ],
)
def test_the_first_pathway_stays_declared(home: str, limits: Constraints, expected: str) -> None:
    """C1.1: where steering starts there is a rung, and playback starts on it (C2.6)."""
    assert expected == uris([STEERING.format(home), *LOPSIDED], limits)[0]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Constraints(device_codecs=AVC_ONLY), "b a"),
        (Constraints(wanted_codecs=AVC_ONLY), "a"),
    ],
)
def test_the_first_pathway_and_codecs(limits: Constraints, expected: str) -> None:
    """A guess about the device gives way to rule C1.1, the codecs of the request do not."""
    entries = [
        on("A", "a", 400, "640x360"),
        variant("b", 900, "640x360", HEVC, 'PATHWAY-ID="B"'),
    ]
    assert expected == uris([STEERING.format("B"), *entries], limits)[0]
