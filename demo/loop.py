"""Makes ten minutes of the demo title, whose files hold one loop of a few seconds.

Segment ``N`` of the long title is that of the loop at ``N`` modulo its number of segments, with
later times. Playlists, MPD and subtitles repeat what those of the loop list. So a player that keeps
a short buffer goes on loading, and each segment has a URL of its own, which no cache has.
"""

import copy
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from demo.boxes import boxes
from demo.mpd import NAMESPACE

LOOPS = 75
_SEGMENT = re.compile(r"(\d+)(\.m4s)$")
_EXTINF = re.compile(r"#EXTINF:([\d.]+),")
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d\.\d{3})")
_SIDX_TIME, _TFDT_TIME = 12, 4  # the offset of the time in the bodies of boxes of version 1

ET.register_namespace("", NAMESPACE)


def shifted(segment: bytes, ticks: int) -> bytes:
    """A media segment whose presentation begins ``ticks`` later.

    Raises ValueError when it has no ``tfdt``, or times of 32 bits.
    """
    data, found = bytearray(segment), set()
    for kind, start, _ in boxes(segment):
        if kind not in {b"sidx", b"tfdt"}:
            continue
        if segment[start] != 1:
            raise ValueError(f"the times of box {kind!r} have 32 bits")
        at = start + (_SIDX_TIME if kind == b"sidx" else _TFDT_TIME)
        data[at : at + 8] = (int.from_bytes(segment[at : at + 8]) + ticks).to_bytes(8)
        found.add(kind)
    if b"tfdt" not in found:
        raise ValueError("no decode time in the segment")
    return bytes(data)


def playlist(text: str, loops: int) -> str:
    """A media playlist, ``loops`` times as long. A file that is no numbered segment (subtitles)
    stays one file, of that duration."""
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("#EXTINF"))
    head, body, end = lines[:first], lines[first:-1], lines[-1]
    uris = [line for line in body if not line.startswith("#")]
    if not all(map(_SEGMENT.search, uris)):
        seconds = float(_EXTINF.search(text)[1]) * loops  # type: ignore[index]
        repeated = [_EXTINF.sub(f"#EXTINF:{seconds:.5f},", line) for line in body]
        target = f"#EXT-X-TARGETDURATION:{round(seconds)}"
        head = [target if line.startswith("#EXT-X-TARGET") else line for line in head]
    else:
        repeated = [
            line if line.startswith("#") else _later(line, loop * len(uris))
            for loop in range(loops)
            for line in body
        ]
    return "\n".join([*head, *repeated, end, ""])


def _later(uri: str, segments: int) -> str:
    """The name of the segment that comes so many later."""
    return _SEGMENT.sub(lambda found: f"{int(found[1]) + segments:03}{found[2]}", uri)


def subtitles(text: str, seconds: int, loops: int) -> str:
    """WebVTT whose cues come again every ``seconds``."""
    head, *cues = text.rstrip("\n").split("\n\n")

    def later(by: int) -> Iterator[str]:
        for cue in cues:
            yield _TIME.sub(lambda found: _plus(found, by), cue)

    repeated = [cue for loop in range(loops) for cue in later(loop * seconds)]
    return "\n\n".join([head, *repeated]) + "\n"


def _plus(found: re.Match[str], seconds: int) -> str:
    total = int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) + seconds
    minutes, rest = divmod(total, 60)
    return f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{rest:06.3f}"


def manifest(text: str, loops: int) -> str:
    """A static MPD with one Period, ``loops`` times as long.

    Raises ValueError when it has no Period.
    """
    mpd = ET.fromstring(text)  # noqa: S314 - the demo's own file
    period = mpd.find(f"{{{NAMESPACE}}}Period")
    if period is None:
        raise ValueError("the MPD has no Period")
    seconds = int(period.attrib["duration"].removeprefix("PT").removesuffix("S")) * loops
    period.set("duration", f"PT{seconds}S")
    if "mediaPresentationDuration" in mpd.attrib:
        mpd.set("mediaPresentationDuration", f"PT{seconds}S")
    for timeline in period.iter(f"{{{NAMESPACE}}}SegmentTimeline"):
        _repeat(timeline, loops)
    ET.indent(mpd)
    return ET.tostring(mpd, "unicode", xml_declaration=True) + "\n"


def _repeat(timeline: ET.Element, loops: int) -> None:
    """Repeat the runs of a SegmentTimeline, as one where all segments last equally long."""
    runs = list(timeline)
    if len(runs) == 1:
        runs[0].set("r", str((int(runs[0].get("r", "0")) + 1) * loops - 1))
        return
    for _ in range(loops - 1):
        for run in runs:
            later = copy.deepcopy(run)
            later.attrib.pop("t", None)
            timeline.append(later)
