"""The live programme of the demo: its MPD over time, and its origin over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import httpx
import pytest

from demo.config import CATALOGUE
from demo.edges import HOST, listen, serve
from demo.live import EPOCH, LiveProgramme
from demo.loop import LOOPS, manifest
from demo.origin import origin_app

XML = {"": "urn:mpeg:dash:schema:mpd:2011"}
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)  # a loop begins
TITLE = (CATALOGUE / "demo" / "manifest.mpd").read_text()
PROGRAMME = LiveProgramme(manifest(TITLE, 3), "../demo/", "../time")


def at(seconds: float) -> ET.Element:
    """The MPD this long after a loop began."""
    text = PROGRAMME.manifest(NOW + timedelta(seconds=seconds))
    return ET.fromstring(text)  # noqa: S314 - our own text


def segments(mpd: ET.Element) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Start and end, in seconds since the epoch, of what each (Period, AdaptationSet) lists."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for period in mpd.iterfind("Period", XML):
        start = int(period.attrib["start"][2:-1])
        for each in period.iterfind("AdaptationSet", XML):
            template = each.find("SegmentTemplate", XML)
            assert template is not None
            scale, tick = int(template.get("timescale", "1")), 0
            listed = found.setdefault((period.attrib["id"], each.attrib["id"]), [])
            for run in template.iterfind("SegmentTimeline/S", XML):
                for _ in range(int(run.get("r", "0")) + 1):
                    end = tick + int(run.attrib["d"])
                    listed.append((start + tick / scale, start + end / scale))
                    tick = end
    return found


def test_it_is_a_valid_dynamic_mpd() -> None:
    """What ISO/IEC 23009-1, 5.3.1 requires, in its order, with a clock and without subtitles."""
    mpd = at(7)
    assert ("dynamic", "PT2S") == (mpd.attrib["type"], mpd.attrib["minimumUpdatePeriod"])
    assert "2020-01-01T00:00:00Z" == mpd.attrib["availabilityStartTime"]
    assert "2026-11-29T12:00:07Z" == mpd.attrib["publishTime"]
    names = [child.tag.partition("}")[2] for child in mpd]
    assert ["BaseURL", "Period", "Period", "Period", "UTCTiming"] == names
    types = {each.attrib["contentType"] for each in mpd.iterfind("Period/AdaptationSet", XML)}
    assert {"video", "audio", "image"} == types


def test_a_minute_of_refreshes() -> None:
    """Every 2 s, something ends and is listed once it has; nothing that was listed changes; a loop
    is a Period of its own, and old ones go."""
    before: dict[tuple[str, str], list[tuple[float, float]]] = {}
    published, seen = "", set()
    for second in range(1, 63, 2):
        now = (NOW - EPOCH).total_seconds() + second
        mpd = at(second)
        assert mpd.attrib["publishTime"] > published
        published = mpd.attrib["publishTime"]
        after = segments(mpd)
        for key in before.keys() & after.keys():
            assert before[key] == after[key][: len(before[key])]
        video = sorted(s for (_, each), listed in after.items() if each == "1" for s in listed)
        audio = sorted(s for (_, each), listed in after.items() if each == "3" for s in listed)
        assert now - 1 == video[-1][1] == pytest.approx(audio[-1][1], abs=0.05)
        assert all(end == start for (_, end), (start, _) in pairwise(video))
        assert 40 <= video[-1][1] - video[0][0] < 64
        assert all(listed for (_, each), listed in after.items() if each in "1234")
        seen |= {period for period, _ in after}
        before = after
    assert len(seen) == 5


@pytest.mark.parametrize("seconds", [3.0, 3.5, 4.999])
def test_an_mpd_stays_until_the_next_is_published(seconds: float) -> None:
    """So that its ETag may be its publishTime."""
    assert ET.tostring(at(3.0)) == ET.tostring(at(seconds))
    assert ET.tostring(at(3.0)) != ET.tostring(at(5.0))


@pytest.fixture
async def origin() -> AsyncIterator[httpx.AsyncClient]:
    """A client of an origin whose clock stands."""
    with listen(HOST, 0) as bound:
        url = f"http://{HOST}:{bound.getsockname()[1]}"
        async with (
            serve(origin_app(CATALOGUE, lambda: NOW), bound, lifespan=False),
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):
            yield client


async def test_the_origin(origin: httpx.AsyncClient) -> None:
    """It has both titles and the time; the live MPD is fresh for less than an update, and is
    revalidated."""
    live = await origin.get("/demo-live/manifest.mpd")
    assert PROGRAMME.manifest(NOW) == live.content
    assert ("application/dash+xml", "*", "max-age=1, stale-while-revalidate=0") == (
        live.headers["content-type"],
        live.headers["access-control-allow-origin"],
        live.headers["cache-control"],
    )
    again = {"If-None-Match": live.headers["etag"]}
    assert 304 == (await origin.get("/demo-live/manifest.mpd", headers=again)).status_code
    title = await origin.get("/demo/manifest.mpd")
    assert "application/dash+xml" == title.headers["content-type"]
    assert manifest(TITLE, LOOPS) == title.text
    assert (await origin.get("/demo/master.m3u8")).text.startswith("#EXTM3U")
    assert NOW == datetime.fromisoformat((await origin.get("/time")).text)
