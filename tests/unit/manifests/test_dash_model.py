"""What an MPD offers: Periods, AdaptationSets and Representations."""

import pytest

from manifests.codecs import CodecFamily, VideoRange
from manifests.dash.document import read
from manifests.dash.model import AdaptationSet, ContentType, Mpd, frame_rate, integer, model

CICP = "urn:mpeg:mpegB:cicp:TransferCharacteristics"


def mpd(inner: str, attributes: str = "") -> Mpd:
    """An MPD with these children."""
    document = read(
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f" {attributes}>{inner}</MPD>".encode()
    )
    return model(document)


def one_set(inner: str, attributes: str = "") -> AdaptationSet:
    """The only AdaptationSet of an MPD."""
    text = f"<Period><AdaptationSet {attributes}>{inner}</AdaptationSet></Period>"
    return mpd(text).periods[0].adaptation_sets[0]


def test_an_mpd_and_its_periods() -> None:
    """Every view has its Element."""
    found = mpd(
        """<ServiceDescription/><Period id="1"><Subset contains="1"/><Preselection/>
        <AdaptationSet/></Period><Period xlink:href="x"/>""",
        'type="dynamic" profiles="a, b,c"',
    )
    assert (found.type, found.profiles) == ("dynamic", ("a", "b", "c"))
    assert found.root is found.document.root
    assert len(found.service_descriptions) == 1
    first, second = found.periods
    assert (first.id, first.xlink, second.id, second.xlink) == ("1", None, "", "x")
    parts = (first.subsets, first.preselections, first.adaptation_sets)
    assert [len(part) for part in parts] == [1, 1, 1]
    assert mpd("").type == "static"


def test_representations_inherit_from_their_set() -> None:
    """Own attributes win; Representations are numbered over all Periods."""
    found = mpd(
        """<Period><AdaptationSet mimeType="video/mp4" codecs="avc1.64001f, mp4a.40.2" width="640"
          frameRate="30000/1001"><Representation id="a" bandwidth="1000"/>
          <Representation id="b" bandwidth="x" codecs="hvc1.2.4.L123" height="720" frameRate="50"
          dependencyId="a c" associationId="d"><BaseURL>u</BaseURL></Representation></AdaptationSet>
        </Period><Period><AdaptationSet><Representation/></AdaptationSet></Period>"""
    )
    a, b, c = found.representations
    assert [each.index for each in (a, b, c)] == [0, 1, 2]
    assert (a.id, a.bandwidth, a.width, a.height) == ("a", 1000, 640, None)
    assert a.codecs == ("avc1.64001f", "mp4a.40.2")
    assert a.families == frozenset({CodecFamily.AVC})
    assert a.frame_rate == pytest.approx(29.97, abs=0.001)
    assert (a.mime_type, a.video_range, a.dependency_ids) == ("video/mp4", VideoRange.SDR, ())
    assert (b.id, b.bandwidth, b.width, b.height, b.frame_rate) == ("b", None, 640, 720, 50.0)
    assert b.codecs == ("hvc1.2.4.L123",)
    assert b.families == frozenset({CodecFamily.HEVC})
    assert (b.dependency_ids, b.association_ids) == (("a", "c"), ("d",))
    assert (c.id, c.bandwidth, c.codecs, c.mime_type, c.families) == ("", None, (), "", frozenset())


CONTENT_TYPES: dict[str, tuple[str, str, ContentType]] = {
    "stated": ('contentType="audio"', "", "audio"),
    "stated in other words": ('contentType="Subtitles"', "", "text"),
    "by MIME type": ('mimeType="video/webm"', "", "video"),
    "thumbnails": ('mimeType="image/jpeg"', "", "image"),
    "stated as application": ('contentType="application" mimeType="audio/mp4"', "", "audio"),
    "text tracks": ('mimeType="text/vtt"', "", "text"),
    "timed text": ('mimeType="application/ttml+xml;codecs=im1t"', "", "text"),
    "text in MP4": ('mimeType="application/mp4" codecs="stpp.ttml.im1t"', "", "text"),
    "by video codec": ('codecs="avc1.64001f,mp4a.40.2"', "", "video"),
    "by audio codec": ('codecs="ec-3"', "", "audio"),
    "by codec of a Representation": (
        "",
        '<Representation/><Representation codecs="wvtt"/>',
        "text",
    ),
    "by MIME type of a Representation": ("", '<Representation mimeType="audio/mp4"/>', "audio"),
    "by size": ("", '<Representation width="640" height="360"/>', "video"),
    "by sampling rate": ("", '<Representation audioSamplingRate="48000"/>', "audio"),
    "multiplex": (
        "",
        '<ContentComponent contentType="audio"/><ContentComponent contentType="video"/>',
        "video",
    ),
    "by any codec": ('codecs="mp4v.20.9"', "", "video"),
    "component": ("", '<ContentComponent contentType="audio"/>', "audio"),
    "unknown": ("", '<Representation codecs="rubbish"/>', "unknown"),
}


@pytest.mark.parametrize(
    ("attributes", "inner", "expected"), CONTENT_TYPES.values(), ids=CONTENT_TYPES.keys()
)
def test_content_types(attributes: str, inner: str, expected: ContentType) -> None:
    """Whatever a packager left out."""
    assert one_set(inner, attributes).content_type == expected


def descriptor(name: str, scheme: str, value: str = "") -> str:
    return f'<{name} schemeIdUri="{scheme}" value="{value}"/>'


def test_trick_mode_and_thumbnails() -> None:
    """By their descriptors, on the set or on its Representations."""
    trick = one_set(
        descriptor("EssentialProperty", "http://dashif.org/guidelines/trickmode", "1 2")
    )
    assert (trick.is_trick_mode, trick.trick_mode_of, trick.is_thumbnails) == (
        True,
        ("1", "2"),
        False,
    )
    tile = descriptor("EssentialProperty", "http://dashif.org/guidelines/thumbnail_tile", "10x1")
    assert one_set(tile).is_thumbnails
    assert one_set(f"<Representation>{tile}</Representation>").is_thumbnails
    assert one_set("", 'contentType="image"').is_thumbnails
    plain = one_set("<Representation/>", 'id="7" lang="de"')
    assert (plain.id, plain.lang, plain.is_trick_mode, plain.is_thumbnails) == (
        "7",
        "de",
        False,
        False,
    )
    roles = one_set(descriptor("Role", "urn:mpeg:dash:role:2011", "main"))
    assert roles.roles == ("main",)


RANGES: dict[str, tuple[str, str, str, VideoRange | None]] = {
    "nothing": ("", "", "", VideoRange.SDR),
    "PQ": (descriptor("SupplementalProperty", CICP, "16"), "", "", VideoRange.PQ),
    "HLG on a Representation": (
        "",
        descriptor("EssentialProperty", CICP.lower(), " 18 "),
        "",
        VideoRange.HLG,
    ),
    "HLG that also shows as SDR": (
        descriptor("EssentialProperty", CICP, "14"),
        descriptor("SupplementalProperty", CICP, "18"),
        "",
        VideoRange.HLG,
    ),
    "SDR": (descriptor("EssentialProperty", CICP, "1"), "", "", VideoRange.SDR),
    "unknown": (descriptor("EssentialProperty", CICP, "99"), "", "", None),
    "Dolby Vision": ("", "", "dvh1.05.06", VideoRange.PQ),
    "Dolby Vision over HLG": (
        descriptor("EssentialProperty", CICP, "18"),
        "",
        "dvh1.08.06",
        VideoRange.HLG,
    ),
}


@pytest.mark.parametrize(
    ("on_set", "inner", "codecs", "expected"), RANGES.values(), ids=RANGES.keys()
)
def test_video_ranges(on_set: str, inner: str, codecs: str, expected: VideoRange | None) -> None:
    """Transfer characteristics of the set and of the Representation, the highest of them."""
    text = f'{on_set}<Representation codecs="{codecs}">{inner}</Representation>'
    assert one_set(text).representations[0].video_range == expected


def test_numbers() -> None:
    """Hostile ones are none."""
    assert [integer(text) for text in ("12", " +7\n", "-1", "1.5", "9" * 21, "", "٣", None)] == [
        *(12, 7),
        *[None] * 6,
    ]
    assert [frame_rate(text) for text in ("25", "50/2", "25/0", "1e9", "25.5", "x", None)] == [
        *(25.0, 25.0, None, None, 25.5, None, None)
    ]
