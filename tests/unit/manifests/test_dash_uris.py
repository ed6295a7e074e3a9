"""Where an MPD's URIs lead: what the conformance set does not show."""

import pytest

from manifests.dash.document import read
from manifests.dash.links import MAX_ABSOLUTE, Links, links_of
from manifests.dash.steering import nests
from manifests.dash.uris import MAX_LIST, Destination, Mirror, query_names
from manifests.dash.writing import write
from manifests.fault import ManifestError

HERE = Destination(
    "film/manifest.mpd", (Mirror("https://e1.example/v/", "e1"),), ("https://origin.example/vod/",)
)
INFO = (
    '<SupplementalProperty schemeIdUri="urn:mpeg:dash:urlparam:2014">'
    '<up:UrlQueryInfo xmlns:up="urn:mpeg:dash:schema:urlparam:2014" useMPDUrlQuery="true" '
    'queryTemplate="{}"/></SupplementalProperty>'
)


def mpd(inside: str, head: str = "") -> Links:
    """An MPD of one Period."""
    text = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">{head}<Period>{inside}</Period></MPD>'
    return links_of(read(text.encode()))


NESTED = [
    ("no BaseURL", "", False),
    ("a folder", "<BaseURL>video/</BaseURL>", True),
    ("a path", "<BaseURL>/video/</BaseURL>", True),
    ("above", "<BaseURL>../</BaseURL>", True),
    ("empty", "<BaseURL/>", True),
    (
        "below the origin, which becomes a path",
        "<BaseURL>https://origin.example/vod/x/</BaseURL>",
        True,
    ),
    ("elsewhere", "<BaseURL>https://ads.example/vod/x/</BaseURL>", False),
    ("a template", '<SegmentTemplate media="https://origin.example/vod/x/$Number$"/>', False),
]


def test_more_base_urls_than_are_looked_at() -> None:
    """They count as nested: then media3 gets one edge, which is safe."""
    urls = [
        f"<BaseURL>https://ads.example/{number}/</BaseURL>" for number in range(MAX_ABSOLUTE + 1)
    ]
    assert [False, True] == [nests(mpd("".join(each)), HERE) for each in (urls[1:], urls)]


@pytest.mark.parametrize(
    ("inside", "expected"), [r[1:] for r in NESTED], ids=[r[0] for r in NESTED]
)
def test_base_urls_that_are_relative_to_others(inside: str, expected: bool) -> None:
    """G8: those at the MPD level are not."""
    assert expected == nests(mpd(inside, "<BaseURL>dash/</BaseURL>"), HERE)


QUERIES = [
    ("none", "", ("a", "b"), ()),
    ("all", INFO.format("$querypart$"), ("b", "a"), ("a", "b")),
    ("by name", INFO.format("$query:b$&amp;$query:c$"), ("a", "b"), ("b",)),
    ("names that a template cannot hold", INFO.format("$querypart$"), ("a$", "b c", "\u00e9"), ()),
    ("both", INFO.format("$query:a$") + INFO.format("x&amp;$querypart$"), ("a", "b"), ("a", "b")),
    ("not from the MPD", INFO.format("$querypart$").replace("true", "false"), ("a",), ()),
]


@pytest.mark.parametrize(
    ("inside", "given", "expected"), [r[1:] for r in QUERIES], ids=[r[0] for r in QUERIES]
)
def test_parameters_that_players_copy(
    inside: str, given: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """E14: what Location has to repeat."""
    assert expected == query_names(mpd(inside), given)


def test_remote_elements_are_known_by_the_usual_prefix() -> None:
    """dash.js looks for ``xlink:href``, whether the prefix is bound or not (E13)."""
    source = (
        b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period xlink:href="ads/one.xml"/>'
        b'<Period xlink:href="urn:mpeg:dash:resolve-to-zero:2013"/></MPD>'
    )
    links = links_of(read(source))
    written = write(links, [], HERE).decode()
    assert ["xlink"] == [*links.document.unbound]
    assert '<Period xlink:href="https://e1.example/v/film/ads/one.xml"/>' in written
    assert '<Period xlink:href="urn:mpeg:dash:resolve-to-zero:2013"/>' in written


def test_the_length_is_bounded() -> None:
    """Rewritten URIs may be longer than the source's."""
    links = mpd('<SegmentTemplate media="/$Number$"/>')
    size = len(write(links, [], HERE))
    assert size == len(write(links, [], HERE, size))
    with pytest.raises(ManifestError, match=f"longer than {size - 1} bytes") as caught:
        write(links, [], HERE, size - 1)
    assert "F13" == caught.value.rule


def test_what_uris_add_is_bounded() -> None:
    """It is noticed before all of it is written."""
    inside = "<SegmentList>" + '<SegmentURL media="/1"/>' * 100 + "</SegmentList>"
    with pytest.raises(ManifestError, match="add more than 200 characters") as caught:
        write(mpd(inside), [], HERE, 200)
    assert "F13" == caught.value.rule


@pytest.mark.parametrize(("count", "moves"), [(2, True), (MAX_LIST, False)])
def test_a_list_of_clocks_has_a_bound(count: int, moves: bool) -> None:
    """Each of its URLs may become much longer; no clock needs so many."""
    clocks = "a " * (count // 2)
    head = f'<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="{clocks}/"/>'
    written = write(mpd("", head), [], HERE)
    assert moves == (b'value="https://origin.example/vod/film/a' in written)


def test_many_levels_of_alternatives_take_no_time() -> None:
    """They multiply: 40 at each of three levels are 64,000 bases."""
    urls = "".join(f"<BaseURL>p{number}/</BaseURL>" for number in range(40))
    inside = f'{urls}<AdaptationSet>{urls}<SegmentTemplate media="/$Number$"/></AdaptationSet>'
    assert b'media="https://e1.example/v/$Number$"' in write(mpd(inside, urls), [], HERE)


@pytest.mark.parametrize("name", ["BaseURL", "Location", "ContentSteering", "ImportedMPD"])
def test_elements_within_a_uri_go_with_it(name: str) -> None:
    """Or stay with it as they are: an edit of theirs would overlap."""
    clock = '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="a"/>'
    written = write(mpd("", f"<{name}>x{clock}y</{name}>"), [], HERE)
    assert read(written).root.first("Period") is not None
    assert b'value="https' not in written


def test_hostile_text_is_escaped() -> None:
    """Where URIs come from a player's request or a configuration."""
    location = "https://gw.example/a?x=\"<'>&amp;]]>\x01"
    destination = Destination(
        "a&b/m.mpd", (Mirror("https://e.example/'<&>\"/", "e"),), (), location
    )
    source = (
        "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>"
        "<Period><SegmentTemplate media='/i'/></Period></MPD>"
    )
    written = write(links_of(read(source.encode())), [], destination).decode()
    assert (
        "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>"
        "<BaseURL>https://e.example/'&lt;&amp;&gt;\"/a&amp;b/</BaseURL>"
        "<Location>https://gw.example/a?x=\"&lt;'&gt;&amp;amp;]]&gt;\ufffd</Location>"
        "<Period><SegmentTemplate media='https://e.example/&#39;&lt;&amp;&gt;\"/i'/></Period></MPD>"
    ) == written
