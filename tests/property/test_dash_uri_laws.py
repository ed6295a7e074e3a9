"""Laws of where an MPD's URIs lead, over MPDs with BaseURLs and templates at every level."""

from xml.sax.saxutils import escape, quoteattr

from hypothesis import given
from hypothesis import strategies as st

from manifests.dash.document import read
from manifests.dash.links import Links, links_of
from manifests.dash.uris import Destination, Mirror
from manifests.dash.writing import write
from tests.dash_resolver import base_urls, media_urls, tree_of

PATH = "a/film/manifest.mpd"
ORIGIN_HOST = "https://origin.example/"
ORIGIN = f"{ORIGIN_HOST}vod/"
MIRRORS = (Mirror("https://e1.example/v/w/", "e1"), Mirror("https://e2.example:8443/x/", "e2"))
ONE = Destination(PATH, MIRRORS[:1], (ORIGIN,))
TWO = Destination(PATH, MIRRORS, (ORIGIN,), None, "https://gw.example/steer")

PLAIN = ("p/", "q/", "p/?t=1&u=%2F", "f.mp4", "./p/")
MOVES = ("../up/", "/x/", "/vod/y/", "https://origin.example/vod/z/?a&b", "//origin.example/vod/z/")
ABOVE = ("../../../above/", "../../../../../above/")
ELSEWHERE = ("https://ads.example/1/", "https://ads.example/vod/")
TEMPLATES = ("$Number$.m4s", "?n=$Number$", "../$RepresentationID$/$Number%05d$.m4s", "s/a//b")

one = st.sampled_from


@st.composite
def mpds(draw: st.DrawFn) -> bytes:
    """An MPD of one Representation. Alternatives of one level have the same depth, and only one
    level leads elsewhere: for a URI whose bases differ in that, only the first counts."""

    def urls(*texts: str) -> str:
        return "".join(f"<BaseURL>{escape(text)}</BaseURL>" for text in texts)

    top = draw(st.lists(one(("p/", "q/")), max_size=2) | st.just([draw(one(MOVES))]))
    period = draw(st.lists(one(PLAIN + MOVES + ABOVE + ELSEWHERE), max_size=1))
    sets = draw(st.lists(one(("p/", "q/")), max_size=2))
    file = draw(st.lists(one(PLAIN + MOVES), max_size=1))
    media = draw(one(TEMPLATES + MOVES + ABOVE))
    initialization = draw(one(PLAIN + MOVES + ELSEWHERE))
    return (
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">{urls(*top)}<Period>{urls(*period)}'
        f"<AdaptationSet>{urls(*sets)}<SegmentTemplate media={quoteattr(media)} "
        f"initialization={quoteattr(initialization)}/>"
        f'<Representation id="v">{urls(*file)}</Representation></AdaptationSet></Period></MPD>'
    ).encode()


def on_edge(url: str, edge: str) -> str:
    """Where a URL of the source leads; paths above the source's root are below the edge's URL."""
    if url.startswith(ORIGIN):
        return f"{edge}{url.removeprefix(ORIGIN)}"
    return f"{edge}{url.removeprefix(ORIGIN_HOST)}" if url.startswith(ORIGIN_HOST) else url


def media_of(data: bytes, base: str) -> list[str]:
    """What is requested. The MPD itself, which is the base of a Representation without a BaseURL,
    never is; its folder is what the edge has."""
    return [url.removesuffix("manifest.mpd") for url in media_urls(tree_of(data), base)]


def linked(source: bytes) -> Links:
    """What is collected once for each source."""
    return links_of(read(source))


@given(mpds())
def test_everything_below_the_origin_lies_below_the_edge(source: bytes) -> None:
    output = write(linked(source), [], ONE)
    before = media_of(source, f"{ORIGIN}{PATH}")
    after = media_of(output, "https://gw.example/v1/play/film.mpd?state=1")
    assert [on_edge(url, MIRRORS[0].url).removesuffix("manifest.mpd") for url in before] == after


@given(mpds())
def test_it_moves_with_every_edge(source: bytes) -> None:
    """With the BaseURLs of one serviceLocation, all of it lies there, unless it is below a BaseURL
    that leads elsewhere."""
    output = write(linked(source), [], TWO)
    tree = tree_of(source)
    for url in base_urls(tree)[1:]:
        tree.remove(url)
    before = media_urls(tree, f"{ORIGIN}{PATH}")
    pinned = any(text.encode() in source for text in ELSEWHERE)
    for mirror in MIRRORS[: 1 if pinned else 2]:
        steered = tree_of(output)
        for url in base_urls(steered):
            if url.get("serviceLocation") != mirror.pathway:
                steered.remove(url)
        after = media_urls(steered, "https://gw.example/v1/play/film.mpd")
        moved = [on_edge(url, mirror.url).removesuffix("manifest.mpd") for url in before]
        assert moved == [url.removesuffix("manifest.mpd") for url in after]


@given(mpds())
def test_writing_again_changes_nothing(source: bytes) -> None:
    once = write(linked(source), [], ONE)
    assert once == write(linked(once), [], ONE)
