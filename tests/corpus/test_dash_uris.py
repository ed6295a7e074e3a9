"""MPDs from other projects: with everything kept, nothing but URIs and steering changes, and each
segment that lay below the origin lies below the edge."""

import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from manifests.dash.document import read
from manifests.dash.links import links_of
from manifests.dash.steering import refusal
from manifests.dash.uris import Destination, Mirror
from manifests.dash.writing import write
from manifests.fault import ManifestError
from tests.dash_resolver import base_urls, bound, media_urls, tree_of

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "dash"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the corpus of MPDs is not at {CORPUS}"
)

FILES = sorted(path.name for path in CORPUS.glob("*.mpd"))
PATH = "a/b/c/film/manifest.mpd"
ORIGIN = "https://origin.example/vod/"
GATEWAY = "https://gw.example/v1/play/film.mpd?state=1"
EDGES = ("e1", "e2", "e3")
MIRRORS = tuple(Mirror(f"https://{edge}.example/{edge}/v/", edge) for edge in EDGES)
ONE = Destination(PATH, MIRRORS[:1], (ORIGIN,), "https://gw.example/l?a=1&b=2")
THREE = Destination(PATH, MIRRORS, (ORIGIN,), "https://gw.example/l", "https://gw.example/s?a&b")

# What may change: elements at the head of the MPD, and URIs.
HEAD = re.compile(
    r"(?:\r?\n)?[ \t]*<([\w.-]+:)?(BaseURL|Location|PatchLocation|ContentSteering)\b[^<]*</\1?\2>"
)
URIS = re.compile(
    r"""([\s:](?:href|media|initialization|index|sourceURL|bitstreamSwitching|value|url|uri))="""
    r"""("[^"<]*"|'[^'<]*')"""
)


def documents() -> list[str]:
    """The files that are read."""
    found = []
    for file in FILES:
        try:
            read((CORPUS / file).read_bytes(), file, 10_000_000)
        except ManifestError:
            continue
        found.append(file)
    return found


READ = documents()


def is_steered(file: str) -> bool:
    """Whether an MPD can be, as long as it is live."""
    links = links_of(read((CORPUS / file).read_bytes(), file, 10_000_000))
    return refusal(links, THREE, live=True) is None


STEERED = [file for file in READ if is_steered(file)]
each = pytest.mark.parametrize("file", READ)


def written(file: str, destination: Destination) -> tuple[bytes, bytes]:
    """The source, and what a player gets."""
    source = (CORPUS / file).read_bytes()
    return source, write(links_of(read(source, file, 10_000_000)), [], destination)


def test_nearly_all_are_read() -> None:
    """Else the tests below would show nothing."""
    assert len(READ) >= len(FILES) - 5
    assert len(STEERED) >= len(READ) - 30


@pytest.mark.parametrize(
    ("file", "destination"),
    [*((file, ONE) for file in READ), *((file, THREE) for file in STEERED)],
    ids=[*READ, *(f"{file}, three edges" for file in STEERED)],
)
def test_only_uris_change(file: str, destination: Destination) -> None:
    """By bytes, and as canonical XML (C14N 2.0)."""
    source, output = [data.decode() for data in written(file, destination)]
    rest = [URIS.sub(r"\1=", HEAD.sub("", text)) for text in (source, output)]
    assert rest[0] == rest[1]
    canonical = [
        ET.canonicalize(from_file=BytesIO(bound(URIS.sub(r'\1="x"', HEAD.sub("", text)).encode())))
        for text in (source, output)
    ]
    assert canonical[0] == canonical[1]


def on_edge(url: str, edge: str) -> str:
    """Where what a source's URL leads to is on an edge."""
    return f"{edge}{url.removeprefix(ORIGIN)}" if url.startswith(ORIGIN) else url


@each
def test_segments_move_with_the_edge(file: str) -> None:
    """Each below the edge that lay below the origin; all others where they were."""
    source, output = written(file, ONE)
    before = media_urls(tree_of(source), f"{ORIGIN}{PATH}")
    after = media_urls(tree_of(output), GATEWAY)
    # A Representation without a BaseURL has the MPD itself as its base, which nobody requests.
    moved = [on_edge(url, MIRRORS[0].url).removesuffix("manifest.mpd") for url in before]
    assert moved == [url.removesuffix("manifest.mpd") for url in after]


@pytest.mark.parametrize("file", STEERED)
def test_segments_move_with_every_edge(file: str) -> None:
    """A player that changes to the BaseURLs of another serviceLocation loads all of it there."""
    source, output = written(file, THREE)
    tree = tree_of(source)
    for url in base_urls(tree)[1:]:
        tree.remove(url)
    before = media_urls(tree, f"{ORIGIN}{PATH}")
    for mirror in MIRRORS:
        steered = tree_of(output)
        for url in base_urls(steered):
            if url.get("serviceLocation") != mirror.pathway:
                steered.remove(url)
        moved = [on_edge(url, mirror.url).removesuffix("manifest.mpd") for url in before]
        after = media_urls(steered, GATEWAY)
        assert moved == [url.removesuffix("manifest.mpd") for url in after]
