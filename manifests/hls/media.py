"""What does a live media playlist say: how long are its segments, and which is the newest?

Read with the ``m3u8`` library, since a media playlist is only read here, never written.
"""

from dataclasses import dataclass

import m3u8

from manifests.hls.fault import ManifestError
from manifests.hls.lines import read_lines

DEFAULT_MAX_BYTES = 4 << 20


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
    text = "\n".join(line.rstrip("\r\n") for line in lines)
    try:
        playlist = m3u8.loads(text)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        # These are all the exceptions that the library raises on broken input.
        raise ManifestError(
            name, None, "A1.8", f"m3u8 cannot read it ({type(error).__name__})"
        ) from error
    if playlist.is_variant or playlist.target_duration is None:
        raise ManifestError(name, None, "A1.7", "this is not a media playlist")
    return MediaPlaylist(
        target_duration_s=float(playlist.target_duration),
        media_sequence=playlist.media_sequence or 0,
        segments=len(playlist.segments),
        ended=bool(playlist.is_endlist),
    )
