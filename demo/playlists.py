"""Writes the playlists of the demo title, with values measured from its segments.

They follow the HLS rules for packagers: BANDWIDTH is the peak over 0.5 to 1.5 target durations
(A6.2), CODECS names every format (A6.4), there are I-frame playlists (B8), and
EXT-X-INDEPENDENT-SEGMENTS is only in the multivariant playlist (A5.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

_WINDOW = (0.5, 1.5)  # of the target duration, rule A6.2


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment: its file name, duration in seconds and size in bytes.

    ``key_frame_bytes`` is the number of bytes up to the end of the first key frame; 0 without
    video.
    """

    name: str
    duration: float
    size: int
    key_frame_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Video:
    """One rung: its name, RFC 6381 codec, size in pixels, frames per second, the ticks per second
    of its media timeline, and segments."""

    name: str
    codec: str
    width: int
    height: int
    frame_rate: float
    timescale: int
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Track:
    """One language of audio, or of subtitles when ``codec`` is None."""

    language: str
    name: str
    default: bool
    segments: Sequence[Segment]
    codec: str | None = None
    timescale: int = 1


def target_duration(segments: Sequence[Segment]) -> int:
    """The longest duration, rounded to whole seconds."""
    return max(1, *(round(segment.duration) for segment in segments))


def peak_bandwidth(segments: Sequence[Segment]) -> int:
    """The largest bit rate, in bit/s, over any 0.5 to 1.5 target durations (rule A6.2)."""
    shortest, longest = (part * target_duration(segments) for part in _WINDOW)
    peak = 0.0
    for first in range(len(segments)):
        seconds, size = 0.0, 0
        for segment in segments[first:]:
            seconds, size = seconds + segment.duration, size + segment.size
            if seconds > longest:
                break
            if seconds >= shortest:
                peak = max(peak, size * 8 / seconds)
    return round(peak or average_bandwidth(segments))


def average_bandwidth(segments: Sequence[Segment]) -> int:
    """The average bit rate in bit/s."""
    seconds = sum(segment.duration for segment in segments)
    return round(sum(segment.size for segment in segments) * 8 / seconds)


def key_frames(segments: Sequence[Segment]) -> list[Segment]:
    """The same segments with only their key frames, to measure an I-frame playlist."""
    return [Segment(s.name, s.duration, s.key_frame_bytes) for s in segments]


def media_playlist(segments: Sequence[Segment], init: str | None) -> str:
    """A VOD media playlist; ``init`` names the initialisation segment, None for WebVTT."""
    lines = _head(segments, 6 if init else 3)
    if init:
        lines.append(f'#EXT-X-MAP:URI="{init}"')
    for segment in segments:
        lines += [f"#EXTINF:{segment.duration:.5f},", segment.name]
    return _text([*lines, "#EXT-X-ENDLIST"])


def iframe_playlist(segments: Sequence[Segment], init: str) -> str:
    """An I-frame playlist with byte ranges of the segments, for trick play (rule B8)."""
    lines = [*_head(segments, 5), "#EXT-X-I-FRAMES-ONLY", f'#EXT-X-MAP:URI="{init}"']
    for segment in segments:
        lines.append(f"#EXTINF:{segment.duration:.5f},")
        lines += [f"#EXT-X-BYTERANGE:{segment.key_frame_bytes}@0", segment.name]
    return _text([*lines, "#EXT-X-ENDLIST"])


def _head(segments: Sequence[Segment], version: int) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{version}",
        f"#EXT-X-TARGETDURATION:{target_duration(segments)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]


def multivariant(
    videos: Sequence[Video], audio: Sequence[Track], subtitles: Sequence[Track]
) -> str:
    """The multivariant playlist, with the rungs in the given order."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:4", "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    lines += [_audio(rendition) for rendition in audio]
    lines += [_subtitles(rendition) for rendition in subtitles]
    lines.append("")
    for video in videos:
        lines += [_stream_inf(video, audio, subtitles), f"video/{video.name}/index.m3u8"]
    lines.append("")
    lines += [_iframe_stream_inf(video) for video in videos]
    return _text(lines)


def bandwidths(video: Video, audio: Sequence[Track], subtitles: Sequence[Track]) -> tuple[int, int]:
    """Peak and average bit/s of a rung with the largest audio and subtitles (rule A6.2)."""
    parts = [[video.segments]]
    parts += [[r.segments for r in group] for group in (audio, subtitles) if group]
    peak = sum(max(map(peak_bandwidth, choices)) for choices in parts)
    return peak, sum(max(map(average_bandwidth, choices)) for choices in parts)


def _flags(rendition: Track) -> str:
    return f"DEFAULT={'YES' if rendition.default else 'NO'},AUTOSELECT=YES"


def _audio(rendition: Track) -> str:
    return (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="stereo",NAME="{rendition.name}",'
        f'LANGUAGE="{rendition.language}",{_flags(rendition)},CHANNELS="2",'
        f'URI="audio/{rendition.language}/index.m3u8"'
    )


def _subtitles(rendition: Track) -> str:
    return (
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="{rendition.name}",'
        f'LANGUAGE="{rendition.language}",{_flags(rendition)},FORCED=NO,'
        f'URI="subtitles/{rendition.language}/index.m3u8"'
    )


def _stream_inf(video: Video, audio: Sequence[Track], subtitles: Sequence[Track]) -> str:
    peak, average = bandwidths(video, audio, subtitles)
    codecs = ",".join([video.codec, *dict.fromkeys(r.codec for r in audio if r.codec)])
    return (
        f"#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},"
        f'CODECS="{codecs}",RESOLUTION={video.width}x{video.height},'
        f"FRAME-RATE={video.frame_rate:.3f},"
        'AUDIO="stereo",SUBTITLES="captions",CLOSED-CAPTIONS=NONE'
    )


def _iframe_stream_inf(video: Video) -> str:
    frames = key_frames(video.segments)
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak_bandwidth(frames)},"
        f'AVERAGE-BANDWIDTH={average_bandwidth(frames)},CODECS="{video.codec}",'
        f"RESOLUTION={video.width}x{video.height},"
        f'URI="video/{video.name}/iframes.m3u8"'
    )


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
