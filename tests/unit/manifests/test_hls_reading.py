"""What a multivariant playlist says, which faults it has, and when it is refused."""

from dataclasses import replace

import pytest

from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import (
    IFrameVariant,
    ManifestError,
    MultivariantPlaylist,
    Rendition,
    Variant,
    parse,
)

PLAIN = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n"


def read(text: str) -> MultivariantPlaylist:
    """Parse a playlist given as text."""
    return parse(text.encode(), "film.m3u8")


def variant_of(attributes: str) -> Variant:
    """The variant that these attributes announce."""
    return read(f"#EXTM3U\n#EXT-X-STREAM-INF:{attributes}\nv\n").variants[0]


BARE = Variant(
    index=0,
    line=2,
    uri="v",
    bandwidth=1,
    average_bandwidth=None,
    codecs=(),
    supplemental_codecs=(),
    families=frozenset(),
    has_video=None,
    width=None,
    height=None,
    frame_rate=None,
    video_range=VideoRange.SDR,
    hdcp_level=None,
    allowed_cpc=None,
    score=None,
    audio=None,
    video=None,
    subtitles=None,
    closed_captions=None,
    no_closed_captions=False,
    pathway=".",
    stable_id=None,
    video_layout=None,
    is_ignored=False,
)

VARIANTS = [
    ("BANDWIDTH=1", BARE),
    ("BANDWIDTH=1.9", BARE),
    ("BANDWIDTH=1,BANDWIDTH=2", BARE),
    ("BANDWIDTH=18446744073709551615", replace(BARE, bandwidth=2**64 - 1)),
    ("AVERAGE-BANDWIDTH=2,BANDWIDTH=1", replace(BARE, average_bandwidth=2)),
    (
        'BANDWIDTH=1,CODECS="hvc1.2.4.L93.B0, mp4a.40.2,",SUPPLEMENTAL-CODECS="dvh1.08.01/db4h"',
        replace(
            BARE,
            codecs=("hvc1.2.4.L93.B0", "mp4a.40.2"),
            supplemental_codecs=("dvh1.08.01/db4h",),
            families=frozenset({CodecFamily.HEVC}),
            has_video=True,
        ),
    ),
    ('BANDWIDTH=1,CODECS="mp4a.40.2"', replace(BARE, codecs=("mp4a.40.2",), has_video=False)),
    ('BANDWIDTH=1,CODECS="mp4a,new1"', replace(BARE, codecs=("mp4a", "new1"))),
    ("BANDWIDTH=1,RESOLUTION=640x360", replace(BARE, width=640, height=360, has_video=True)),
    ("BANDWIDTH=1,RESOLUTION=640×360", BARE),
    ("BANDWIDTH=1,RESOLUTION=0x0", BARE),
    ("BANDWIDTH=1,FRAME-RATE=59.940", replace(BARE, frame_rate=59.94)),
    ("BANDWIDTH=1,FRAME-RATE=nan,SCORE=1e9", BARE),
    ("BANDWIDTH=1,SCORE=2.5", replace(BARE, score=2.5)),
    ("BANDWIDTH=1,VIDEO-RANGE=PQ", replace(BARE, video_range=VideoRange.PQ)),
    ("BANDWIDTH=1,VIDEO-RANGE=XYZ", replace(BARE, video_range=None, is_ignored=True)),
    ("BANDWIDTH=1,HDCP-LEVEL=TYPE-2", replace(BARE, hdcp_level="TYPE-2", is_ignored=True)),
    ("BANDWIDTH=1,HDCP-LEVEL=NONE", replace(BARE, hdcp_level="NONE")),
    (
        "BANDWIDTH=1,CLOSED-CAPTIONS=ALL",
        replace(BARE, closed_captions="ALL", is_ignored=True),
    ),
    ("BANDWIDTH=1,HDCP-LEVEL=TYPE-1", replace(BARE, hdcp_level="TYPE-1")),
    ('BANDWIDTH=1,ALLOWED-CPC="a:b"', replace(BARE, allowed_cpc="a:b")),
    (
        'BANDWIDTH=1,AUDIO="a",VIDEO="v",SUBTITLES="s",CLOSED-CAPTIONS="c"',
        replace(BARE, audio="a", video="v", subtitles="s", closed_captions="c"),
    ),
    ("BANDWIDTH=1,CLOSED-CAPTIONS=NONE", replace(BARE, no_closed_captions=True)),
    ('BANDWIDTH=1,CLOSED-CAPTIONS="NONE"', replace(BARE, closed_captions="NONE")),
    ('BANDWIDTH=1,PATHWAY-ID="B"', replace(BARE, pathway="B")),
    ('BANDWIDTH=1,STABLE-VARIANT-ID="i"', replace(BARE, stable_id="i")),
    ('BANDWIDTH=1,REQ-VIDEO-LAYOUT="CH-STEREO"', replace(BARE, video_layout="CH-STEREO")),
    ('BANDWIDTH=1,REQ-FUTURE="x"', replace(BARE, is_ignored=True)),
]


@pytest.mark.parametrize(("attributes", "expected"), VARIANTS)
def test_a_variant_says_what_it_is(attributes: str, expected: Variant) -> None:
    """A6, one attribute at a time; an unreadable value counts as absent."""
    assert expected == variant_of(attributes)


def test_a_variant_knows_whether_it_is_audio_only() -> None:
    """A variant with an unknown codec is not audio-only."""
    audio, video, unknown = 'CODECS="mp4a"', 'CODECS="avc1,mp4a"', 'CODECS="new1"'
    expected = [True, False, False]
    assert expected == [variant_of(f"BANDWIDTH=1,{x}").audio_only for x in (audio, video, unknown)]


def test_a_variant_names_its_groups() -> None:
    """As (type, id), so that an audio and a subtitles group may share an id (A8.8)."""
    variant = variant_of('BANDWIDTH=1,SUBTITLES="g",AUDIO="g"')
    assert (("AUDIO", "g"), ("SUBTITLES", "g")) == variant.groups


def test_iframe_playlists_are_read() -> None:
    """A7: URI and BANDWIDTH may be missing, which is a fault only."""
    playlist = read(
        f'{PLAIN}#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,RESOLUTION=4x2,URI="i"\n'
        "#EXT-X-I-FRAME-STREAM-INF:\n"
    )
    first, second = playlist.iframes
    assert isinstance(first, IFrameVariant)
    assert (0, 4, "i", 9, 2) == (first.index, first.line, first.uri, first.bandwidth, first.height)
    assert (1, 5, "", 0) == (second.index, second.line, second.uri, second.bandwidth)


def test_renditions_are_read() -> None:
    """A8: every attribute by name; what is missing is None, "" or NO."""
    playlist = read(
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",'
        'ASSOC-LANGUAGE="fr",DEFAULT=YES,AUTOSELECT=YES,FORCED=YES,INSTREAM-ID="1",CHANNELS="6",'
        'CHARACTERISTICS="x,y",STABLE-RENDITION-ID="s",PATHWAY-ID="B",URI="a.m3u8"\n'
        "#EXT-X-MEDIA:\n" + PLAIN[8:]
    )
    full = Rendition(
        index=0,
        line=2,
        type="AUDIO",
        group_id="a",
        name="English",
        uri="a.m3u8",
        language="en",
        default=True,
        autoselect=True,
        forced=True,
        channels="6",
        characteristics=("x", "y"),
        stable_id="s",
        pathway="B",
        is_ignored=False,
    )
    empty = Rendition(
        index=1,
        line=3,
        type="",
        group_id="",
        name="",
        uri=None,
        language=None,
        default=False,
        autoselect=False,
        forced=False,
        channels=None,
        characteristics=(),
        stable_id=None,
        pathway=".",
        is_ignored=False,
    )
    assert (full, empty) == playlist.renditions


def test_playlist_wide_tags_are_read() -> None:
    """Version, session tags, steering and the query parameters that the source asks for."""
    playlist = read(
        "#EXTM3U\r\n#EXT-X-VERSION: 11\r\n"
        '#EXT-X-DEFINE:QUERYPARAM="token"\r\n#EXT-X-DEFINE:QUERYPARAM="user"\r\n'
        '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="fps"\r\n'
        '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"\r\n'
        '#EXT-X-SESSION-DATA:DATA-ID="d",LANGUAGE="en",VALUE="1"\r\n'
        '#EXT-X-CONTENT-STEERING:SERVER-URI="/s",PATHWAY-ID="."\r\n' + PLAIN[8:]
    )
    assert 11 == playlist.version
    assert ("token", "user") == playlist.query_parameters
    assert [("SAMPLE-AES", "fps", "skd://k"), ("AES-128", "identity", "k")] == [
        (key.method, key.key_format, key.uri) for key in playlist.session_keys
    ]
    assert [("d", "en")] == [(data.data_id, data.language) for data in playlist.session_data]
    assert playlist.steering is not None
    assert ("/s", ".") == (playlist.steering.server_uri, playlist.steering.pathway)
    assert "\r\n" == playlist.newline
    assert () == playlist.faults


def test_variables_are_expanded_in_facts() -> None:
    """A5.5: in URI lines and quoted strings, not in unquoted values; query parameters stay."""
    playlist = read(
        '#EXTM3U\n#EXT-X-DEFINE:NAME="h",VALUE="https://a"\n#EXT-X-DEFINE:QUERYPARAM="q"\n'
        '#EXT-X-DEFINE:NAME="all",VALUE="{$h}/{$q}"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="{$h}",VIDEO={$undefined}\n{$all}/v\n'
    )
    variant = playlist.variants[0]
    expected = ("https://a/{$q}/v", "https://a", "{$undefined}")
    assert expected == (variant.uri, variant.audio, variant.video)


ERRORS = [
    ("A1.7", 1, "#EXTM3U\n"),
    ("A1.7", 1, '#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i"\n'),
    ("A1.7", 2, "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\ns.ts\n"),
    ("A1.7", 4, PLAIN + "#EXTINF:6,\ns.ts\n"),
    ("A1.7", 3, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-ENDLIST \nv\n"),
    ("A6.1", 4, PLAIN + "#EXT-X-STREAM-INF:BANDWIDTH=1"),
    ("A6.1", 4, PLAIN + "#EXT-X-STREAM-INF:BANDWIDTH=1\n# no\n\n"),
    ("A6.1", 3, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv\n"),
    ("A6.1", 3, '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-MEDIA:TYPE=AUDIO\nv\n'),
    ("A6.2", 2, "#EXTM3U\n#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1\nv\n"),
    ("A6.2", 2, "#EXTM3U\n#EXT-X-STREAM-INF\nv\n"),
    ("A6.2", 2, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=-1\nv\n"),
    ("A6.2", 2, '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH="1"\nv\n'),
    ("A6.2", 2, f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH={'9' * 21}\nv\n"),
    ("A5.3", 4, PLAIN + '#EXT-X-DEFINE:NAME="x",VALUE="1",QUERYPARAM="x"'),
    ("A5.3", 4, PLAIN + "#EXT-X-DEFINE:"),
    ("A5.3", 4, PLAIN + '#EXT-X-DEFINE:NAME="x"'),
    ("A5.3", 4, PLAIN + '#EXT-X-DEFINE:NAME="a b",VALUE=""'),
    ("A5.3", 5, PLAIN + '#EXT-X-DEFINE:NAME="x",VALUE=""\n#EXT-X-DEFINE:QUERYPARAM="x"'),
    ("A5.5", 3, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{$nope}/v\n"),
    ("A5.5", 2, '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="{$x}"\nv\n'),
    ("A5.5", 3, '#EXTM3U\n#EXT-X-DEFINE:IMPORT="x"\n#EXT-X-MEDIA:URI="{$x}"\n' + PLAIN[8:]),
    ("A5.5", 3, '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{$x}\n#EXT-X-DEFINE:NAME="x",VALUE="1"'),
    ("A1.4", 1, "<html>"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "line", "text"), ERRORS)
def test_what_cannot_be_edited_safely_is_refused(rule: str, line: int, text: str) -> None:
    """The error names the file, the line and the rule."""
    with pytest.raises(ManifestError, match=r"film\.m3u8") as caught:
        read(text)
    assert (rule, line) == (caught.value.rule, caught.value.line)


def test_the_size_is_bounded() -> None:
    """A source over the limit is refused before it is read."""
    with pytest.raises(ManifestError):
        parse(PLAIN.encode(), max_bytes=len(PLAIN) - 1)
    assert 1 == len(parse(PLAIN.encode(), max_bytes=len(PLAIN)).variants)


MEDIA = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{name}"{more}\n'
FAULTS = [
    ("", []),
    ("#EXT-X-FUTURE:A=1,A=2\n# comment\n#\n\n", []),
    ("#EXT-X-VERSION:3\n#EXT-X-VERSION:4\n", [(5, "A4.1")]),
    ("#EXT-X-START:TIME-OFFSET=1\n#EXT-X-START:TIME-OFFSET=2\n", [(5, "A5.1")]),
    ("#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-INDEPENDENT-SEGMENTS\n", [(5, "A5.1")]),
    ("#EXT-X-ALLOW-CACHE:YES\n", [(4, "A1.9")]),
    ("stray.m3u8\n", [(4, "A6.1")]),
    ("  # odd\n \t\n", [(4, "A1.3")]),
    ('#EXT-X-DEFINE:IMPORT="x"\n', [(4, "A5.3")]),
    ("#EXT-X-SESSION-KEY:METHOD=NONE\n", [(4, "A9.2")]),
    ('#EXT-X-SESSION-DATA:DATA-ID="a"\n' * 2, [(5, "A9.1")]),
    ('#EXT-X-SESSION-DATA:DATA-ID="a"\n#EXT-X-SESSION-DATA:DATA-ID="a",LANGUAGE="e"\n', []),
    ('#EXT-X-CONTENT-STEERING:SERVER-URI="s"\n', []),
    ('#EXT-X-CONTENT-STEERING:SERVER-URI="s"\n' * 2, [(5, "C1.1")]),
    ('#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="B"\n', [(4, "C1.1")]),
    ("#EXT-X-CONTENT-STEERING:\n", [(4, "C1.1")]),
    ("#EXT-X-MEDIA:TYPE=AUDIO\n", [(4, "A8.1"), (4, "A8.1")]),
    ('#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="n"\n', [(4, "A8.1")]),
    ('#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="s",NAME="n",URI="x"\n', [(4, "A8.1")]),
    (MEDIA.format(name="1", more=",DEFAULT=YES") + MEDIA.format(name="2", more=",DEFAULT=YES"),
     [(5, "A8.8")]),
    (MEDIA.format(name="1", more="") * 2, [(5, "A8.8")]),
    (MEDIA.format(name="1", more=', LANGUAGE="e"'), [(4, "A3.1")]),
    (MEDIA.format(name="1", more=',ASSOC-LANGUAGE="e",LANGUAGE="e"'), [(4, "G3")]),
    (MEDIA.format(name="1", more=',LANGUAGE="e",ASSOC-LANGUAGE="e"'), []),
    ('#EXT-X-I-FRAME-STREAM-INF:URI="i"\n', [(4, "A7.1")]),
    ("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n", [(4, "A7.1")]),
    ('#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i",VIDEO="v"\n', [(4, "A6.12")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2\n# comment\nw\n", [(5, "A6.1")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2\n#EXT-X-FUTURE:1\n\nw\n", [(5, "A6.1")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2\n\nw\n", []),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2\n w \n", [(5, "A1.3")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2.5\nw\n", [(4, "A3.2")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2147483648\nw\n", [(4, "A3.2")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=18446744073709551616\nw\n", [(4, "A3.2")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2147483647\nw\n", []),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,BANDWIDTH=3\nw\n", [(4, "A3.4")]),
    ('#EXT-X-STREAM-INF:BANDWIDTH=2,CODECS="a\nw\n', [(4, "A3.3")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=x\nw\n", [(4, "A3.2")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,FRAME-RATE=x\nw\n", [(4, "A3.2")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,VIDEO-RANGE=x\nw\n", [(4, "A6.9")]),
    ('#EXT-X-STREAM-INF:BANDWIDTH=2,REQ-X="x"\nw\n', [(4, "A2.1")]),
    ('#EXT-X-STREAM-INF:BANDWIDTH=2,SUPPLEMENTAL-CODECS="d",CODECS="h"\nw\n', [(4, "G3")]),
    ('#EXT-X-STREAM-INF:BANDWIDTH=2,CODECS="h",SUPPLEMENTAL-CODECS="d"\nw\n', []),
    ('#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a",SUBTITLES="s"\nw\n', [(4, "A6.12"), (4, "A6.12")]),
    (MEDIA.format(name="1", more="") + '#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"\nw\n', []),
    (MEDIA.format(name="1", more="") + '#EXT-X-STREAM-INF:BANDWIDTH=2,SUBTITLES="a"\nw\n',
     [(5, "A6.12")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,CLOSED-CAPTIONS=NONE\nw\n", [(2, "A6.12")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,SCORE=1\nw\n", [(2, "A6.3")]),
    ("#EXT-X-STREAM-INF:BANDWIDTH=2,PROGRAM-ID=1\nw\n" * 2, [(4, "A1.9")]),
]  # fmt: skip


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_players_tolerate_is_a_fault(more: str, expected: list[tuple[int, str]]) -> None:
    """The playlist is served, and each broken rule is listed with its line."""
    assert expected == [(fault.line, fault.rule) for fault in read(PLAIN + more).faults]


def test_faults_read_well() -> None:
    """As ``explain`` shows them."""
    assert ["line 4: RFC 8216bis 4.4.6.2: a URI line that belongs to no variant"] == [
        str(fault) for fault in read(PLAIN + "stray\n").faults
    ]
