"""Writes the MPD of the demo title (ISO/IEC 23009-1), over the same segments as its playlists.

Every video codec is an AdaptationSet of its own, as players do not switch between codecs (IOP 3.2),
and so is every language. ``@bandwidth`` is the peak, as in the playlists, but of one track alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

from demo.playlists import Segment, Track, Video, peak_bandwidth

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
_TILES = "http://dashif.org/guidelines/thumbnail_tile"


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Pictures of ``columns`` × ``rows`` thumbnails, each with ``duration`` seconds of the title,
    in files of ``sizes`` bytes; ``width`` and ``height`` are those of one file in pixels."""

    columns: int
    rows: int
    width: int
    height: int
    duration: int
    sizes: Sequence[int]


def manifest(
    seconds: int,
    videos: Sequence[Video],
    audio: Sequence[Track],
    subtitles: Sequence[Track],
    thumbnails: Thumbnails,
) -> str:
    """A static MPD of one Period that lasts ``seconds``."""
    mpd = ET.Element(
        "MPD",
        xmlns=NAMESPACE,
        profiles=_PROFILES,
        type="static",
        mediaPresentationDuration=f"PT{seconds}S",
        maxSegmentDuration="PT3S",
        minBufferTime="PT2S",
    )
    period = ET.SubElement(mpd, "Period", id="1", start="PT0S", duration=f"PT{seconds}S")
    for _, same in groupby(videos, lambda video: video.codec.partition(".")[0]):
        _video_set(period, list(same))
    for track in audio:
        _audio_set(period, track)
    for track in subtitles:
        _subtitle_set(period, track)
    _thumbnail_set(period, thumbnails)
    for number, adaptation_set in enumerate(period, 1):
        adaptation_set.set("id", str(number))
    ET.indent(mpd)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(mpd, encoding="unicode")}\n'


def _video_set(period: ET.Element, videos: Sequence[Video]) -> None:
    made = ET.SubElement(
        period,
        "AdaptationSet",
        id="",
        contentType="video",
        mimeType="video/mp4",
        segmentAlignment="true",
        startWithSAP="1",
        maxWidth=str(max(video.width for video in videos)),
        maxHeight=str(max(video.height for video in videos)),
        maxFrameRate=f"{max(video.frame_rate for video in videos):g}",
    )
    ET.SubElement(made, "Role", schemeIdUri=_ROLE, value="main")
    _template(made, "video/$RepresentationID$", videos[0].timescale, videos[0].segments)
    for video in videos:
        ET.SubElement(
            made,
            "Representation",
            id=video.name,
            bandwidth=str(peak_bandwidth(video.segments)),
            codecs=video.codec,
            width=str(video.width),
            height=str(video.height),
            frameRate=f"{video.frame_rate:g}",
        )


def _audio_set(period: ET.Element, track: Track) -> None:
    made = ET.SubElement(
        period,
        "AdaptationSet",
        id="",
        contentType="audio",
        mimeType="audio/mp4",
        lang=track.language,
        segmentAlignment="true",
        startWithSAP="1",
    )
    ET.SubElement(made, "AudioChannelConfiguration", schemeIdUri=_CHANNELS, value="2")
    ET.SubElement(made, "Label").text = track.name
    ET.SubElement(made, "Role", schemeIdUri=_ROLE, value="main" if track.default else "dub")
    _template(made, f"audio/{track.language}", track.timescale, track.segments)
    ET.SubElement(
        made,
        "Representation",
        id=f"audio-{track.language}",
        bandwidth=str(peak_bandwidth(track.segments)),
        codecs=track.codec or "",
        audioSamplingRate=str(track.timescale),
    )


def _subtitle_set(period: ET.Element, track: Track) -> None:
    """One WebVTT file, which is not segmented: its BaseURL is the file."""
    made = ET.SubElement(
        period,
        "AdaptationSet",
        id="",
        contentType="text",
        mimeType="text/vtt",
        lang=track.language,
    )
    ET.SubElement(made, "Label").text = track.name
    ET.SubElement(made, "Role", schemeIdUri=_ROLE, value="subtitle")
    representation = ET.SubElement(
        made,
        "Representation",
        id=f"subtitles-{track.language}",
        bandwidth=str(peak_bandwidth(track.segments)),
    )
    name = track.segments[0].name
    ET.SubElement(representation, "BaseURL").text = f"subtitles/{track.language}/{name}"


def _thumbnail_set(period: ET.Element, thumbnails: Thumbnails) -> None:
    """Tiles of thumbnails, as DASH-IF IOP 6.2.6 defines them."""
    made = ET.SubElement(period, "AdaptationSet", id="", contentType="image", mimeType="image/jpeg")
    ET.SubElement(
        made,
        "SegmentTemplate",
        media="thumbnails/$Number$.jpg",
        duration=str(thumbnails.duration),
        startNumber="1",
    )
    representation = ET.SubElement(
        made,
        "Representation",
        id="thumbnails",
        bandwidth=str(max(thumbnails.sizes) * 8 // thumbnails.duration + 1),
        width=str(thumbnails.width),
        height=str(thumbnails.height),
    )
    value = f"{thumbnails.columns}x{thumbnails.rows}"
    ET.SubElement(representation, "EssentialProperty", schemeIdUri=_TILES, value=value)


def _template(made: ET.Element, folder: str, timescale: int, segments: Sequence[Segment]) -> None:
    template = ET.SubElement(
        made,
        "SegmentTemplate",
        timescale=str(timescale),
        startNumber="0",
        initialization=f"{folder}/init.mp4",
        media=f"{folder}/$Number%03d$.m4s",
    )
    timeline = ET.SubElement(template, "SegmentTimeline")
    for ticks, run in groupby(round(segment.duration * timescale) for segment in segments):
        repeats = len(list(run)) - 1
        made_run = ET.SubElement(timeline, "S", d=str(ticks))
        if repeats:
            made_run.set("r", str(repeats))
    timeline[0].attrib = {"t": "0", **timeline[0].attrib}
