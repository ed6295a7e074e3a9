"""The costliest MPDs within the bounds: an answer costs time and memory linear in their size."""

import time
from collections.abc import Iterable

import pytest

from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints
from gateway.play.dash.edit import gone_of
from gateway.play.dash.manifest import read_dash
from manifests.codecs import CodecFamily
from manifests.dash.document import DEFAULT_MAX_BYTES
from manifests.dash.filtering import filter_splices
from manifests.dash.uris import Destination, Mirror
from manifests.dash.writing import write
from manifests.fault import ManifestError

pytestmark = pytest.mark.no_cover  # very long MPDs through the same few lines

MOST_S = 10.0
"""CPU seconds, on a machine however slow. Each takes 0.5 s at most; in quadratic time, minutes."""
LIMITS = Constraints(
    max_bandwidth=2_000_000, max_height=720, device_codecs=frozenset({CodecFamily.AVC})
)
ORIGIN = "https://origin.example/"
EDGES = (Mirror("https://a.example/v/", "a"), Mirror("https://b.example/w/", "b"))
SWITCHING = '<SupplementalProperty schemeIdUri="urn:mpeg:dash:adaptation-set-switching:2016"'
TRICK_MODE = '<EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode"/>'
QUERY = (
    '<SupplementalProperty schemeIdUri="urn:mpeg:dash:urlparam:2014"><UrlQueryInfo '
    'xmlns="urn:mpeg:dash:schema:urlparam:2014" useMPDUrlQuery="true" '
)


def in_period(inner: str) -> str:
    """An MPD of one Period."""
    return f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>{inner}</Period></MPD>'


def in_set(inner: str, name: str = "0") -> str:
    """A set of video."""
    return f'<AdaptationSet id="{name}" mimeType="video/mp4">{inner}</AdaptationSet>'


def one(number: int, height: int, attributes: str = "", inner: str = "") -> str:
    """A Representation."""
    return (
        f'<Representation id="r{number}" bandwidth="{1000 + number}" height="{height}" '
        f'codecs="avc1.4d401e"{attributes}>{inner}</Representation>'
    )


def two(count: int, attributes: str = "", inner: str = "") -> str:
    """Representations of which every other goes; ``#`` in what they have is their number."""
    return "".join(
        [
            one(at, 360 + at % 2 * 720, attributes, inner.replace("#", str(at)))
            for at in range(count)
        ]
    )


def tall(count: int, inner: str = "") -> str:
    """Sets from 1 that go, which have the number ``count`` and their own in the place of ``#``."""
    return "".join(
        [in_set(inner.replace("#", str(at)) + one(at, 1080), str(at)) for at in range(1, count)]
    )


def many(text: str, numbers: Iterable[int]) -> str:
    """The text with each number in the place of its ``#``."""
    return "".join([text.replace("#", str(number)) for number in numbers])


LOWEST = in_set(one(0, 240))
HOSTILE = {
    "trick mode": in_period(
        "".join([in_set(one(at, 360 + at % 2 * 720), str(at)) for at in range(2450)])
        + "".join([in_set(TRICK_MODE + one(at, 360), f"t{at}") for at in range(2450)])
    ).replace(' codecs="avc1.4d401e"', ""),
    "Subsets": in_period(LOWEST + tall(4900) + many('<Subset contains="0 #"/>', range(20_000))),
    "lists of sets": in_period(
        LOWEST
        + tall(3000)
        + "".join(
            [
                in_set(f'{SWITCHING} value="{at}"/>' + one(at, 240), f"s{at}")
                for at in range(1, 1900)
            ]
        )
    ),
    "inband events": in_period(
        in_set(many('<InbandEventStream schemeIdUri="#"/>', range(6000)) + two(4900))
        + in_set(one(9999, 240), "1")
    ),
    "properties": in_period(
        in_set(
            many('<SupplementalProperty schemeIdUri="#"/>', range(12_000))
            + two(4900, inner='<SupplementalProperty schemeIdUri="a"/>')
        )
    ),
    "key systems": in_period(
        in_set(
            many('<ContentProtection schemeIdUri="#"/>', range(9000))
            + two(4900, inner='<ContentProtection schemeIdUri="a"/>')
        )
    ),
    "dependencies": in_period(
        in_set(
            one(9999, 240, " dependencyId='" + "r1 " * 300_000 + "'")
            + two(4900, " dependencyId='r9999'")
        )
    ),
    "processing instructions": in_period(
        f'<EventStream schemeIdUri="a"><?a {"<!--" * 400_000}?></EventStream>{LOWEST}'
    ),
    "tags in a processing instruction": in_period(
        f'<EventStream schemeIdUri="a"><?a {"<RequestParam " * 120_000}?></EventStream>{LOWEST}'
    ),
    "alternatives": in_period(
        in_set(
            many("<BaseURL>/a#/</BaseURL>", range(8000))
            + two(4900, inner="<BaseURL>../../../b/</BaseURL>")
        )
    ),
    "alternatives of which the last leads elsewhere": in_period(
        many("<BaseURL>a#/</BaseURL>", range(6000))
        + "<BaseURL>https://c.example/</BaseURL>"
        + in_set(two(4900, inner='<SegmentTemplate media="a#/b"/>'))
    ),
    "a long base": in_period(
        f"<BaseURL>{'a/' * 300_000}</BaseURL>"
        + in_set(two(4900, inner='<SegmentTemplate media="../a#/b"/>'))
    ),
    "query parts": in_period(
        LOWEST[:-16]
        + f'{QUERY}queryTemplate="{"$querypart$" * 70_000}" queryString="{"a&amp;" * 90_000}"/>'
        "</SupplementalProperty></AdaptationSet>"
    ),
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mpds_are_answered_in_linear_time(source: str) -> None:
    """Read, filtered and written, or refused, soon."""
    data = source.encode()
    assert len(data) <= DEFAULT_MAX_BYTES
    started = time.process_time()
    manifest = read_dash(data, "film.mpd", DEFAULT_MAX_BYTES)
    gone = gone_of(manifest.mpd, fit_all(manifest.ladder.rungs, LIMITS).kept, LIMITS)
    to = Destination("film.mpd", EDGES, (ORIGIN,), steering_url="https://g.example/s")
    most = 2 * DEFAULT_MAX_BYTES
    try:
        answer = write(manifest.links, filter_splices(manifest.mpd, gone), to, most)
        assert len(answer) <= most
    except ManifestError as error:
        assert "make it longer" in str(error) or "add more than" in str(error)  # noqa: PT017
    assert time.process_time() - started < MOST_S


def test_more_inband_events_than_are_looked_at() -> None:
    """No Representation serves them: each would name all of its own."""
    for count, expected in ((2, 2), (65, 0)):
        events = many('<InbandEventStream schemeIdUri="#"/>', range(count))
        source = in_period(in_set(events + one(1, 240)) + in_set(one(2, 360), "1"))
        first, second = read_dash(source.encode(), "a", 10_000).ladder.rungs
        assert (expected, 0) == (len(first.serves), len(second.serves))


def test_what_stands_in_a_processing_instruction_is_no_element() -> None:
    """Nor is what follows it hidden."""
    inner = "<?a <InsertPresentation url='b.mpd'/> <!-- ?><InsertPresentation url='c.mpd'/><!--?-->"
    source = in_period(f'<EventStream schemeIdUri="a">{inner}</EventStream>{LOWEST}').encode()
    links = read_dash(source, "film.mpd", 10_000).links
    assert ["c.mpd"] == [link.uri for link in links.manifests]
    assert inner.replace("'c.mpd", "'https://a.example/v/c.mpd").encode() in write(
        links, (), Destination("film.mpd", EDGES[:1])
    )
