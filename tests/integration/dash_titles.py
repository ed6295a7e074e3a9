"""MPDs and configs for tests of DASH over HTTP."""

from pathlib import Path

LADDER = {240: 200, 360: 500, 720: 1200, 1080: 2500, 2160: 8000}
"""The shipped ladder: peaks in kbit/s by height."""


TEMPLATE = """<SegmentTemplate media="$RepresentationID$/$Number$.m4s"
        initialization="$RepresentationID$/init.mp4" duration="2"/>"""


def _video(height: int) -> str:
    return (
        f'      <Representation id="v{height}" bandwidth="{LADDER[height] * 1000}" '
        f'width="{height * 16 // 9}" height="{height}" codecs="avc1.64001f" frameRate="25"/>'
    )


def mpd(kind: str = "static", heights: tuple[int, ...] = tuple(LADDER), published: str = "") -> str:
    """An MPD of the shipped ladder, with one set of audio and one of subtitles.

    ``published`` is the time of day of a ``dynamic`` one.
    """
    time = published or "10:00:00"
    of_type = 'type="static" mediaPresentationDuration="PT60S"'
    if kind != "static":
        of_type = (
            'type="dynamic" availabilityStartTime="2026-11-29T00:00:00Z" '
            f'minimumUpdatePeriod="PT4S" publishTime="2026-11-29T{time}Z"'
        )
    videos = "\n".join(map(_video, heights))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011"
     minBufferTime="PT2S" {of_type}>
  <Period id="1" start="PT0S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true">
      {TEMPLATE}
{videos}
    </AdaptationSet>
    <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" lang="en">
      {TEMPLATE}
      <Representation id="a" bandwidth="96000" codecs="mp4a.40.2" audioSamplingRate="48000"/>
    </AdaptationSet>
  </Period>
</MPD>
"""


def playlist(heights: tuple[int, ...] = tuple(LADDER)) -> str:
    """The same ladder as a multivariant playlist."""
    lines = ["#EXTM3U"]
    for height in heights:
        attributes = f"BANDWIDTH={LADDER[height] * 1000},RESOLUTION={height * 16 // 9}x{height}"
        lines.append(f'#EXT-X-STREAM-INF:{attributes},CODECS="avc1.64001f",FRAME-RATE=25.000')
        lines.append(f"{height}.m3u8")
    return "\n".join([*lines, ""])


EDGES = """
[[edges]]
id = "eu-1"
url = "https://eu-1.example/videos/"
continents = ["EU"]
fallback = true
[[edges]]
id = "eu-2"
url = "https://eu-2.example/videos/"
continents = ["EU"]
weight = 1
"""


def put(root: Path, name: str, text: str | bytes) -> None:
    """Write a file below the catalogue, and the folders above it."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
