"""Makes a live programme of the demo title: its MPD, played in a loop, as a dynamic MPD.

Each loop is a Period, with the segments of the title. So the MPD follows from the title's and the
time alone, and needs no state. Segments are listed from the end of their last frame on, every
:data:`STEP_S` seconds; the files are there all the time. Subtitles are left out, because players
do not load an unsegmented file again in each Period.
"""

import copy
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from demo.mpd import NAMESPACE

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
"""When the programme began (``MPD@availabilityStartTime``). It stays over restarts."""
STEP_S = 2
"""The time between two MPDs that differ, and ``@minimumUpdatePeriod``."""
PACKAGING_S = 1
"""How long after their last frame segments are listed."""
_DEPTH_S = 40  # how far back players can seek
_BEHIND_S = 10  # where they play: this long before now
_TOLERANCE_S = 0.1  # AAC frames do not end with video frames; both are listed together

ET.register_namespace("", NAMESPACE)


class LiveProgramme:
    """The title of a static MPD with one Period, whose ``@duration`` is whole seconds, and whose
    SegmentTimelines have no ``r="-1"``. Its files are below ``base_url``, and ``clock_url`` tells
    the time (``urn:mpeg:dash:utc:http-iso:2014``). Both may be relative to the MPD.
    """

    def __init__(self, mpd: str, base_url: str, clock_url: str) -> None:
        title = ET.fromstring(mpd)  # noqa: S314 - the demo's own file
        period = title.find(_name("Period"))
        if period is None:
            raise ValueError("the MPD has no Period")
        for subtitles in period.findall(f"{_name('AdaptationSet')}[@contentType='text']"):
            period.remove(subtitles)
        self._period = period
        self._profiles = title.attrib["profiles"]
        self._base_url = base_url
        self._clock_url = clock_url
        self._loop_s = int(period.attrib.pop("duration").removeprefix("PT").removesuffix("S"))

    def publish_time(self, now: datetime) -> datetime:
        """When the MPD at ``now`` came to be, ``MPD@publishTime``; a whole second."""
        return EPOCH + timedelta(seconds=_steps(now) + PACKAGING_S)

    def manifest(self, now: datetime) -> bytes:
        """The MPD at ``now``. It is the same until the next :meth:`publish_time`."""
        listed = _steps(now)
        mpd = ET.Element(
            _name("MPD"),
            {
                "profiles": self._profiles,
                "type": "dynamic",
                "availabilityStartTime": _iso(EPOCH),
                "publishTime": _iso(self.publish_time(now)),
                "minimumUpdatePeriod": f"PT{STEP_S}S",
                "timeShiftBufferDepth": f"PT{_DEPTH_S}S",
                "suggestedPresentationDelay": f"PT{_BEHIND_S}S",
                "maxSegmentDuration": "PT3S",
                "minBufferTime": "PT2S",
            },
        )
        ET.SubElement(mpd, _name("BaseURL")).text = self._base_url
        first, last = (max(0, end) // self._loop_s for end in (listed - _DEPTH_S, listed - STEP_S))
        for number in range(first, last + 1):
            mpd.append(self._loop(number, listed - number * self._loop_s))
        clock = {"schemeIdUri": "urn:mpeg:dash:utc:http-iso:2014", "value": self._clock_url}
        ET.SubElement(mpd, _name("UTCTiming"), clock)
        ET.indent(mpd)
        text: bytes = ET.tostring(mpd, "utf-8", xml_declaration=True)
        return text + b"\n"

    def _loop(self, number: int, listed: int) -> ET.Element:
        """The Period of one loop, with the segments of its first ``listed`` seconds."""
        period = copy.deepcopy(self._period)
        period.set("id", str(number))
        period.set("start", f"PT{number * self._loop_s}S")
        for template in period.iter(_name("SegmentTemplate")):
            timeline = template.find(_name("SegmentTimeline"))
            if timeline is not None:
                _cut(timeline, (listed + _TOLERANCE_S) * int(template.attrib["timescale"]))
        return period


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _steps(now: datetime) -> int:
    """The seconds of the programme that are listed at ``now``: whole steps."""
    return int((now - EPOCH).total_seconds() - PACKAGING_S) // STEP_S * STEP_S


def _cut(timeline: ET.Element, end: float) -> None:
    """Keep the segments that end at ``end`` ticks, or before."""
    at = 0
    for run in list(timeline):
        duration, full = int(run.attrib["d"]), int(run.get("r", "0")) + 1
        count = min(full, int((end - at) // duration))
        at += count * duration
        if count < full:
            end = at  # nothing later
        if count > 1:
            run.set("r", str(count - 1))
        elif count == 1:
            run.attrib.pop("r", None)
        else:
            timeline.remove(run)
