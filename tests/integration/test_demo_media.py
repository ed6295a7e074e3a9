"""Do the demo title's playlists and its MPD agree with its media files?"""

import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import imageio_ffmpeg
import m3u8
import pytest

from demo.boxes import boxes, cmaf_header, first_frame_end, timescale, video_codec
from demo.config import CATALOGUE
from demo.playlists import Segment, average_bandwidth, peak_bandwidth

TITLE = CATALOGUE / "demo"
TEXT = (TITLE / "master.m3u8").read_text("utf-8")
MASTER = m3u8.loads(TEXT)
VARIANTS = {str(playlist.uri).split("/")[1]: playlist for playlist in MASTER.playlists}
IFRAMES = {str(playlist.uri).split("/")[1]: playlist for playlist in MASTER.iframe_playlists}
MPD = ET.parse(TITLE / "manifest.mpd").getroot()  # noqa: S314 - our own file
XML = {"": "urn:mpeg:dash:schema:mpd:2011"}
SETS = MPD.findall("Period/AdaptationSet", XML)
LANGUAGES = ("en", "es")
TRACKS = ("audio", "subtitles")

# rung, picture, the shipped profile's cap for that height (240p: rule B10, 9.21), codec family
LADDER = (
    ("240p", (426, 240), 192, "avc1"),
    ("360p", (640, 360), 500, "avc1"),
    ("480p", (854, 480), 1200, "avc1"),
    ("720p", (1280, 720), 1200, "avc1"),
    ("1080p", (1920, 1080), 2500, "avc1"),
    ("1080p-hevc", (1920, 1080), 2000, "hvc1"),
)
NAMES = [name for name, *_ in LADDER]


def measured(kind: str, name: str) -> list[Segment]:
    """The segments of a media playlist, with their sizes on disk."""
    folder = TITLE / kind / name
    segments = m3u8.load(str(folder / "index.m3u8")).segments
    return [Segment(s.uri, s.duration, (folder / s.uri).stat().st_size) for s in segments]


def test_the_title_is_small() -> None:
    """The whole title has at most 6 MB."""
    size = sum(path.stat().st_size for path in TITLE.rglob("*") if path.is_file())
    assert 0 < size <= 6_000_000


def test_the_rates_of_the_rungs_are_clearly_different() -> None:
    """On average, each H.264 rung has at least 1.4 times the bit rate of the one below."""
    rates = [average_bandwidth(measured("video", name)) for name in NAMES if "hevc" not in name]
    assert all(above > 1.4 * below for below, above in pairwise(rates)), rates


@pytest.mark.parametrize("name", NAMES)
def test_loops_meet_without_a_gap(name: str) -> None:
    """Sound and pictures of a loop last exactly as long, so that the next one may follow."""
    seconds = [
        sum(segment.duration for segment in measured(kind, folder))
        for kind, folder in (("video", name), ("audio", "en"), ("audio", "es"))
    ]
    assert [8.0] * 3 == pytest.approx(seconds, abs=1e-4)


def test_the_rungs_are_listed_from_low_to_high() -> None:
    """Every rung stands in the multivariant playlist once, and its I-frames too (B8)."""
    expected = (NAMES, NAMES)
    assert expected == (list(VARIANTS), list(IFRAMES))


@pytest.mark.parametrize("name", NAMES)
def test_bandwidth_is_measured(name: str) -> None:
    """BANDWIDTH and AVERAGE-BANDWIDTH are those of the files, with the audio of the highest bit
    rate (A6.2)."""
    groups = [[measured("video", name)]]
    groups += [[measured(kind, language) for language in LANGUAGES] for kind in TRACKS]
    peak = sum(max(map(peak_bandwidth, group)) for group in groups)
    average = sum(max(map(average_bandwidth, group)) for group in groups)
    info = VARIANTS[name].stream_info
    assert (peak, average) == (info.bandwidth, info.average_bandwidth)


@pytest.mark.parametrize(("name", "size", "cap_kbps", "family"), LADDER, ids=NAMES)
def test_every_rung_says_what_it_is(
    name: str, size: tuple[int, int], cap_kbps: int, family: str
) -> None:
    """Cap, size, frame rate and codecs (B9: 9.1 to 9.4, 9.14, 9.15) agree with the media."""
    info = VARIANTS[name].stream_info
    codec = video_codec((TITLE / "video" / name / "init.mp4").read_bytes())
    assert codec.startswith(f"{family}.")
    assert (size, 25.0, f"{codec},mp4a.40.2") == (info.resolution, info.frame_rate, info.codecs)
    assert info.bandwidth <= cap_kbps * 1000
    frames = IFRAMES[name].iframe_stream_info
    assert (size, codec) == (frames.resolution, frames.codecs)


def test_two_languages_of_sound_and_of_subtitles() -> None:
    """Every rendition has LANGUAGE, NAME, AUTOSELECT and a URI; audio has CHANNELS (A8)."""
    expected = [
        (kind, language, name, "YES", channels, f"{folder}/{language}/index.m3u8")
        for kind, folder, channels in (("AUDIO", "audio", "2"), ("SUBTITLES", "subtitles", None))
        for language, name in (("en", "English"), ("es", "Español"))
    ]
    actual = [(m.type, m.language, m.name, m.autoselect, m.channels, m.uri) for m in MASTER.media]
    assert expected == actual


def test_independent_segments_stand_in_the_multivariant_playlist_only() -> None:
    """INDEPENDENT-SEGMENTS covers all media playlists and is not repeated there (A5.1)."""
    media = [path.read_text() for path in TITLE.rglob("*/index.m3u8")]
    assert [1] + [0] * len(media) == [
        text.count("#EXT-X-INDEPENDENT-SEGMENTS") for text in (TEXT, *media)
    ]


@pytest.mark.parametrize("path", sorted(TITLE.rglob("*.m3u8")), ids=lambda p: p.parent.name)
def test_every_file_that_a_playlist_names_is_there(path: Path) -> None:
    """No playlist of the title names a file that the edges do not have."""
    loaded = m3u8.load(str(path))
    named = [s.uri for s in loaded.segments] + [m.uri for m in loaded.media]
    named += [s.init_section.uri for s in loaded.segments if s.init_section]
    named += [p.uri for p in (*loaded.playlists, *loaded.iframe_playlists)]
    assert all((path.parent / str(uri)).is_file() for uri in named)


@pytest.mark.parametrize("name", NAMES)
def test_media_playlists_of_all_rungs_line_up(name: str) -> None:
    """Four segments of two seconds in every rung: durations match across variants (A6.15)."""
    expected = [2.0] * 4
    assert expected == [segment.duration for segment in measured("video", name)]


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, size, *_ in LADDER], ids=NAMES)
def test_an_iframe_range_holds_one_whole_picture(
    name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """The bytes that the I-frame playlist names decode alone to one picture of the right size."""
    folder = TITLE / "video" / name
    frame = m3u8.load(str(folder / "iframes.m3u8")).segments[2]
    length, offset = map(int, frame.byterange.split("@"))
    data = (folder / frame.uri).read_bytes()[offset : offset + length]
    alone = tmp_path / "frame.mp4"
    alone.write_bytes((folder / "init.mp4").read_bytes() + data)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-i", str(alone)]
    made = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "gray", "-"], capture_output=True, check=True
    )
    assert size[0] * size[1] == len(made.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_iframe_ranges_are_those_of_the_segments(name: str) -> None:
    """Every byte range ends where the first sample of its segment does, and starts with it."""
    folder = TITLE / "video" / name
    frames = m3u8.load(str(folder / "iframes.m3u8")).segments
    ends = [first_frame_end((folder / frame.uri).read_bytes()) for frame in frames]
    assert [f"{end}@0" for end in ends] == [frame.byterange for frame in frames]
    rates = IFRAMES[name].iframe_stream_info
    parts = [Segment(f.uri, f.duration, end) for f, end in zip(frames, ends, strict=True)]
    assert (peak_bandwidth(parts), average_bandwidth(parts)) == (
        rates.bandwidth,
        rates.average_bandwidth,
    )


def representations() -> dict[str, tuple[ET.Element, ET.Element]]:
    """AdaptationSet and Representation by ``@id``."""
    found = [(a, r) for a in SETS for r in a.findall("Representation", XML)]
    return {r.attrib["id"]: (a, r) for a, r in found}


def files(adaptation_set: ET.Element, representation: ET.Element) -> list[str]:
    """The files of a Representation, from the initialisation segment on."""
    base = representation.find("BaseURL", XML)
    if base is not None:
        return [str(base.text)]
    template = adaptation_set.find("SegmentTemplate", XML)
    assert template is not None
    first = int(template.attrib["startNumber"])
    if "duration" in template.attrib:
        numbers = range(first, first + 8 // int(template.attrib["duration"]))
    else:
        numbers = range(first, first + len(timeline(template)))
    names = [template.get("initialization", "")] if "initialization" in template.attrib else []
    names += [
        template.attrib["media"].replace("$Number%03d$", f"{n:03}").replace("$Number$", str(n))
        for n in numbers
    ]
    return [name.replace("$RepresentationID$", representation.attrib["id"]) for name in names]


def timeline(template: ET.Element) -> list[tuple[int, int]]:
    """Start and duration, in ticks, of each segment of a SegmentTimeline."""
    found, at = [], 0
    for run in template.findall("SegmentTimeline/S", XML):
        for _ in range(int(run.get("r", "0")) + 1):
            found.append((at, int(run.attrib["d"])))
            at += found[-1][1]
    return found


def in_media(path: Path) -> tuple[int, int]:
    """Decode time and duration, in ticks, that a segment states itself (``tfdt``, ``sidx``)."""
    data = path.read_bytes()
    found = {kind: data[start:end] for kind, start, end in boxes(data)}
    _, ticks, _ = struct.unpack_from(">III", found[b"sidx"], 32)  # size, duration, SAP
    return int.from_bytes(found[b"tfdt"][4:]), ticks


def test_the_mpd_offers_what_the_playlists_do() -> None:
    """One set for each codec and language: five H.264 rungs, HEVC, two languages of sound and of
    subtitles, and thumbnails. Ids are unique."""
    offered = [
        (
            a.attrib["contentType"],
            a.get("lang"),
            [r.attrib["id"] for r in a.iterfind("*[@bandwidth]")],
        )
        for a in SETS
    ]
    assert [
        ("video", None, ["240p", "360p", "480p", "720p", "1080p"]),
        ("video", None, ["1080p-hevc"]),
        ("audio", "en", ["audio-en"]),
        ("audio", "es", ["audio-es"]),
        ("text", "en", ["subtitles-en"]),
        ("text", "es", ["subtitles-es"]),
        ("image", None, ["thumbnails"]),
    ] == offered
    assert len(SETS) == len({a.attrib["id"] for a in SETS})


def test_the_mpd_and_the_playlists_name_the_same_files() -> None:
    """One set of segments serves both; the MPD names thumbnails besides."""
    playlists = set()
    for path in TITLE.glob("*/*/index.m3u8"):
        for segment in m3u8.load(str(path)).segments:
            init = segment.init_section
            names = [segment.uri, *([init.uri] if init else [])]
            playlists |= {str((path.parent / name).relative_to(TITLE)) for name in names}
    named = {name for both in representations().values() for name in files(*both)}
    assert named - playlists == {"thumbnails/1.jpg"}
    assert playlists <= named
    assert all((TITLE / name).is_file() for name in named)


@pytest.mark.parametrize("name", [*NAMES, "audio-en", "audio-es"])
def test_a_segment_timeline_is_that_of_the_media(name: str) -> None:
    """Every segment begins and lasts as the MPD says, in the time scale of its track."""
    adaptation_set, representation = representations()[name]
    template = adaptation_set.find("SegmentTemplate", XML)
    assert template is not None
    init, *segments = files(adaptation_set, representation)
    assert timescale((TITLE / init).read_bytes()) == int(template.attrib["timescale"])
    assert [in_media(TITLE / segment) for segment in segments] == timeline(template)


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, size, *_ in LADDER], ids=NAMES)
def test_a_representation_says_what_it_is(name: str, size: tuple[int, int]) -> None:
    """Size, codec and bandwidth agree with the media, and the bounds of its set hold."""
    adaptation_set, representation = representations()[name]
    said = representation.attrib
    assert size == (int(said["width"]), int(said["height"]))
    assert said["codecs"] == video_codec((TITLE / "video" / name / "init.mp4").read_bytes())
    assert int(said["bandwidth"]) == peak_bandwidth(measured("video", name))
    assert size[0] <= int(adaptation_set.attrib["maxWidth"])
    assert size[1] <= int(adaptation_set.attrib["maxHeight"])


def test_thumbnails_have_the_size_that_the_mpd_says() -> None:
    """The file is a row of four, 160 by 90 each."""
    adaptation_set, representation = representations()["thumbnails"]
    tiles = representation.find("EssentialProperty", XML)
    assert tiles is not None
    assert ("640", "90", "4x1") == (
        representation.attrib["width"],
        representation.attrib["height"],
        tiles.attrib["value"],
    )
    for name in files(adaptation_set, representation):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-i", str(TITLE / name)]
        made = subprocess.run(
            [*command, "-f", "rawvideo", "-pix_fmt", "gray", "-"], capture_output=True, check=True
        )
        assert 640 * 90 == len(made.stdout)


@pytest.mark.parametrize("path", sorted(TITLE.rglob("init.mp4")), ids=lambda p: p.parent.name)
def test_headers_have_the_brand_of_cmaf(path: Path) -> None:
    """``cmfc`` is among the compatible brands (ISO/IEC 23000-19, 7.2), once."""
    data = path.read_bytes()
    kind, start, end = next(boxes(data))
    assert (b"ftyp", 1) == (kind, data[start + 8 : end].count(b"cmfc"))
    assert data == cmaf_header(data)


def test_the_brand_replaces_an_untrue_one() -> None:
    """All else stays; without a brand to replace the file is refused."""
    before = b"\0\0\0\x1cftypiso5\0\0\2\0iso5iso6mp41\0\0\0\x08moov"
    assert before.replace(b"mp41", b"cmfc") == cmaf_header(before)
    with pytest.raises(ValueError, match="neither the brand cmfc nor mp41"):
        cmaf_header(before.replace(b"mp41", b"iso2"))


@pytest.mark.parametrize(
    ("case", "data"),
    [
        ("a size beyond the end", b"\x00\x00\x00\x20moof"),
        ("a size below the header", b"\x00\x00\x00\x04moof"),
        ("no fragment", b"\x00\x00\x00\x08free"),
    ],
)
def test_bad_boxes_are_refused(case: str, data: bytes) -> None:
    """A file that is not an MP4 fragment raises ValueError instead of giving a wrong range."""
    with pytest.raises(ValueError, match=r"box|fragment"):
        first_frame_end(data)


def test_large_boxes_are_walked() -> None:
    """A 64-bit box size (ISO/IEC 14496-12, 4.2) is read from behind the type."""
    data = b"\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x12ab\x00\x00\x00\x08free"
    expected = [(b"mdat", 16, 18), (b"free", 26, 26)]
    assert expected == list(boxes(data))


@pytest.mark.parametrize(
    ("case", "segments", "peak"),
    [
        ("equal", [(2.0, 1000)] * 3, 4000),
        ("one heavy", [(2.0, 1000), (2.0, 5000), (2.0, 1000)], 20_000),
        ("a short tail joins its neighbour", [(2.0, 1000), (0.5, 1000)], 6400),
        ("only one, long", [(20.0, 2000)], 800),
    ],
)
def test_peak_bandwidth(case: str, segments: list[tuple[float, int]], peak: int) -> None:
    """Peaks are taken over runs of 0.5 to 1.5 target durations (A6.2)."""
    assert peak == peak_bandwidth([Segment("s", *segment) for segment in segments])
