"""Where an MPD says to start."""

import pytest

from manifests.dash.links import links_of
from manifests.dash.reading import parse
from manifests.dash.start import start_splices
from manifests.dash.uris import Destination, Mirror
from manifests.dash.writing import write

PERIOD = (
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="a" bandwidth="1"/>'
    "</AdaptationSet></Period>"
)
TARGET = 'target="731000"'
BASE = "<BaseURL>https://edge.example/film/</BaseURL>"


def started(head: str, bandwidth: int = 730_001) -> str:
    """What the MPD level has in front of its Period, when it had this."""
    attributes = 'profiles="p" type="static" minBufferTime="PT2S" mediaPresentationDuration="PT9S"'
    source = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {attributes}>{head}{PERIOD}</MPD>'
    mpd = parse(source.encode())
    links = links_of(mpd.document)
    destination = Destination(
        path="film/manifest.mpd",
        mirrors=(Mirror("https://edge.example/", "edge"),),
        origin_urls=(),
        location=None,
        parameters=(),
    )
    written = write(links, start_splices(mpd, links, bandwidth), destination).decode()
    return written.partition('"PT9S">')[2].partition("<Period")[0]


def described(*children: str) -> str:
    """A ServiceDescription."""
    return f"<ServiceDescription>{''.join(children)}</ServiceDescription>"


ADDED = f'<OperatingBandwidth mediaType="video" {TARGET}/>'
NEW = f'<ServiceDescription id="0">{ADDED}</ServiceDescription>'
LATENCY, REPORTING = '<Latency target="1"/>', "<ClientDataReporting/>"
LIMIT = '<OperatingBandwidth mediaType="video" max="9"/>'
OWN = '<OperatingBandwidth mediaType="video" target="9"/>'
ALL = '<OperatingBandwidth mediaType="any" max="9"/>'


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("", f"{BASE}{NEW}"),  # behind what comes before it in the schema
        (f"<ProgramInformation/>{BASE}", f"<ProgramInformation/>{BASE}{NEW}"),
        (described(LATENCY, REPORTING), f"{BASE}{described(LATENCY, ADDED, REPORTING)}"),
        (described(REPORTING), f"{BASE}{described(ADDED, REPORTING)}"),
        # The source's limits stay,
        (described(LIMIT), f"{BASE}{described(LIMIT.replace('/>', f' {TARGET}/>'))}"),
        # and so does its target. dash.js heeds the last one alone.
        (described(OWN), f"{BASE}{described(OWN)}"),
        (described(LIMIT, ALL), f"{BASE}{described(LIMIT, ALL)}"),
        ("<ServiceDescription/>", f"{BASE}<ServiceDescription/>"),
    ],
)
def test_the_target(head: str, expected: str) -> None:
    """E1: it stands at its place, in the description that players heed."""
    assert expected == started(head)


@pytest.mark.parametrize(("bandwidth", "target"), [(1, 1000), (1000, 1000), (1001, 2000)])
def test_the_target_is_in_kbps(bandwidth: int, target: int) -> None:
    """Rounded up: rounded down, it would exclude the Representation that it is about."""
    assert f'target="{target}"' in started("", bandwidth)
