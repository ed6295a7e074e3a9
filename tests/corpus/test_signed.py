"""Manifests from other projects on an edge that signs its URLs: each URL that leads there is one
that the edge serves, and without its signature, everything is what it is without signing."""

import re
from pathlib import Path

import pytest

from manifests.dash.document import read
from manifests.dash.links import links_of
from manifests.dash.steering import refusal
from manifests.dash.uris import Destination, Mirror
from manifests.dash.writing import write as write_mpd
from manifests.fault import ManifestError
from manifests.hls.multivariant import ManifestError as PlaylistError
from manifests.hls.multivariant import PathwayCopy, keep_everything, parse, write
from manifests.rebase import rebaser
from manifests.steering import SteeringTags
from tests.dash_resolver import base_urls, media_urls, tree_of
from tests.signed_urls import refused, root_of, signing, without_signature

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"NOT RUN: no corpus at {CORPUS}")

PATH = "a/b/film/manifest"
ORIGIN = "https://origin.example/vod/"
EDGES = ("https://e1.example/v/", "https://e2.example:8443/w/")
SIGNINGS = (signing(), signing("f", step_s=70))
URL = re.compile(r'https://e[12]\.example[^"\s<]*')
GATEWAY = "https://gw.example/v1/play/film.mpd?state=1"


def check(text: str) -> int:
    """Each URL on the edges is served; returns how many there are."""
    found = URL.findall(text)
    for url in found:
        used = SIGNINGS[0] if url.startswith(EDGES[0]) else SIGNINGS[1]
        assert refused(url, used) is None, url
    return len(found)


def test_playlists() -> None:
    """Variants, renditions, I-frame playlists, keys, data, and copies of the ladder."""
    count = 0
    for file in sorted((CORPUS / "hls").rglob("*.m3u8")):
        try:
            playlist = parse(file.read_bytes())
            edit = keep_everything(playlist)
            plain = write(playlist, edit, rebaser(PATH, EDGES[0], (ORIGIN,)))
        except (PlaylistError, ValueError):
            continue
        roots = [root_of(url, PATH, used) for url, used in zip(EDGES, SIGNINGS, strict=True)]
        signed = write(playlist, edit, rebaser(PATH, EDGES[0], (ORIGIN,), roots[0])).decode()
        assert without_signature(signed) == without_signature(plain.decode())
        count += check(signed)
        if "PATHWAY-ID" in playlist.text or "EXT-X-CONTENT-STEERING" in playlist.text:
            continue
        tags = SteeringTags("https://gw.example/s", "e1")
        copy = PathwayCopy("e2", rebaser(PATH, EDGES[1], (ORIGIN,), roots[1]))
        rewrite = rebaser(PATH, EDGES[0], (ORIGIN,), roots[0])
        count += check(write(playlist, edit, rewrite, None, None, tags, [copy]).decode())
    assert count > 1000


def test_mpds() -> None:
    """Every URL that a player may make of the BaseURLs of an edge."""
    mirrors = tuple(
        Mirror(url, f"e{number}", root_of(url, PATH, used))
        for number, (url, used) in enumerate(zip(EDGES, SIGNINGS, strict=True), 1)
    )
    bare = tuple(mirror._replace(place=None) for mirror in mirrors)
    count = 0
    for file in sorted((CORPUS / "dash").glob("*.mpd")):
        try:
            links = links_of(read(file.read_bytes(), file.name, 10_000_000))
        except ManifestError:
            continue
        one = Destination(PATH, mirrors[:1], (ORIGIN,))
        output = write_mpd(links, [], one)
        plain = write_mpd(links, [], Destination(PATH, bare[:1], (ORIGIN,)))
        count += _check_mpd(output, plain, 0)
        two = Destination(PATH, mirrors, (ORIGIN,), None, "https://gw.example/s")
        if refusal(links, two, live=True) is None:
            unsigned = Destination(PATH, bare, (ORIGIN,), None, "https://gw.example/s")
            output, plain = write_mpd(links, [], two), write_mpd(links, [], unsigned)
            for number in (0, 1):
                count += _check_mpd(output, plain, number)
    assert count > 1000


def _check_mpd(output: bytes, plain: bytes, number: int) -> int:
    signed, bare = [_urls(data, f"e{number + 1}") for data in (output, plain)]
    assert [without_signature(url) for url in signed] == bare
    mine = [url for url in signed if URL.match(url)]
    for url in mine:
        assert url.startswith(EDGES[number])
        assert refused(url, SIGNINGS[number]) is None, url
    return len(mine)


def _urls(data: bytes, pathway: str) -> list[str]:
    """What a player may request that uses a pathway."""
    tree = tree_of(data)
    for url in base_urls(tree):
        if url.get("serviceLocation", pathway) != pathway:
            tree.remove(url)
    urls = [url.removesuffix("film.mpd?state=1") for url in media_urls(tree, GATEWAY)]
    return [url for url in urls if not url.startswith("https://gw.example")]
