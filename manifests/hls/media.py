"""What does a live media playlist say: how long are its segments, and which is the newest?

Read with the ``m3u8`` library, since a media playlist is only read here, never written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import m3u8

from manifests.fault import ManifestError
from manifests.hls.lines import read_lines

DEFAULT_MAX_BYTES = 4 << 20
MAX_DURATION_S = 86_400.0
"""The longest segment and target duration that is believed, in seconds."""
MAX_SEGMENTS = 20_000
"""Eleven hours of segments of two seconds; the library takes some 40 microseconds for each."""
MAX_KEYS = 64
"""The most EXT-X-KEY tags that are read: the library compares each with all the others."""
MAX_LINES = 200_000
MAX_LINE_CHARS = 64 * 1024
"""The library cuts and reads each line in one go, during which no other thread runs."""
MAX_SEQUENCE = 2**64 - 1
"""The largest decimal-integer (A3.2), and so the largest media sequence number."""


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """``target_duration_s`` is in seconds; ``media_sequence`` is the number of the first of
    ``segments`` segments; ``ended`` means that no more will follow (EXT-X-ENDLIST)."""

    target_duration_s: float
    media_sequence: int
    segments: int
    ended: bool

    @property
    def last_sequence(self) -> int | None:
        """The media sequence number of the newest segment, None without segments."""
        return self.media_sequence + self.segments - 1 if self.segments else None


def read_media(
    data: bytes, name: str = "playlist", max_bytes: int = DEFAULT_MAX_BYTES
) -> MediaPlaylist:
    """Read a media playlist. Raises ManifestError when it is not one or cannot be read."""
    lines = read_lines(data, name, max_bytes)
    if lines.text.count("#EXTINF") > MAX_SEGMENTS:
        raise ManifestError(name, None, "F13", f"more than {MAX_SEGMENTS} segments")
    if lines.text.count("\n") + lines.text.count("\r") > MAX_LINES:
        raise ManifestError(name, None, "F13", f"more than {MAX_LINES} lines")
    read = list(_read_by_the_library(lines.text))
    if any(len(line) > MAX_LINE_CHARS for line in read):
        raise ManifestError(name, None, "F13", f"a line of more than {MAX_LINE_CHARS} characters")
    text = "\n".join(read)
    try:
        playlist = m3u8.loads(text)
    except Exception as error:  # the library names no error of its own for broken input
        raise ManifestError(
            name, None, "A1.8", f"m3u8 cannot read it ({type(error).__name__})"
        ) from error
    if playlist.is_variant or playlist.target_duration is None:
        raise ManifestError(name, None, "A1.7", "this is not a media playlist")
    durations = (playlist.target_duration, *(segment.duration for segment in playlist.segments))
    if not all(_is_number(each, MAX_DURATION_S) for each in durations if each is not None):
        problem = f"a duration is no number of seconds up to {MAX_DURATION_S:.0f}"
        raise ManifestError(name, None, "A3.2", problem)
    first, segments = playlist.media_sequence or 0, len(playlist.segments)
    if not _is_number(first, MAX_SEQUENCE - segments):
        raise ManifestError(name, None, "A3.2", "the media sequence is over 2^64 - 1 or no number")
    return MediaPlaylist(
        target_duration_s=float(playlist.target_duration),
        media_sequence=int(first),
        segments=segments,
        ended=bool(playlist.is_endlist),
    )


def _read_by_the_library(text: str) -> Iterator[str]:
    """The lines as the library cuts and strips them, without the keys after the first
    ``MAX_KEYS``."""
    keys = 0
    for line in text.splitlines():
        is_key = line.strip().startswith("#EXT-X-KEY")
        keys += is_key
        if not is_key or keys <= MAX_KEYS:
            yield line


def _is_number(value: object, most: float) -> bool:
    """Whether ``value`` is a number from 0 to ``most``."""
    return isinstance(value, int | float) and 0 <= value <= most  # false for NaN
