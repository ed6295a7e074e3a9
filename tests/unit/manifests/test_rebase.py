"""URIs in a playlist, as docs/http.md has them."""

import pytest

from manifests.rebase import rebase, rebaser, remove_dot_segments

EDGE = "https://edge.example/videos/"
SOURCE = "film/hd/master.m3u8"
ORIGIN = "https://origin.example/vod/"

RELATIVE = [
    ("low.m3u8", "https://edge.example/videos/film/hd/low.m3u8"),
    ("a/b.m3u8", "https://edge.example/videos/film/hd/a/b.m3u8"),
    ("./low.m3u8", "https://edge.example/videos/film/hd/low.m3u8"),
    ("../low.m3u8", "https://edge.example/videos/film/low.m3u8"),
    ("../../low.m3u8", "https://edge.example/videos/low.m3u8"),
    # RFC 3986 5.2.4: surplus ".." stop at the root, and the root is the edge's url.
    ("../../../../low.m3u8", "https://edge.example/videos/low.m3u8"),
    ("a/../../../../../x", "https://edge.example/videos/x"),
    ("..", "https://edge.example/videos/film/"),
    (".", "https://edge.example/videos/film/hd/"),
    ("a/.", "https://edge.example/videos/film/hd/a/"),
    (".hidden/..x/x..", "https://edge.example/videos/film/hd/.hidden/..x/x.."),
    ("a//b", "https://edge.example/videos/film/hd/a//b"),
    ("/root.m3u8", "https://edge.example/videos/root.m3u8"),
    ("/../../root.m3u8", "https://edge.example/videos/root.m3u8"),
    ("/", "https://edge.example/videos/"),
    ("?a=1", "https://edge.example/videos/film/hd/master.m3u8?a=1"),
    ("#t", "https://edge.example/videos/film/hd/master.m3u8#t"),
    ("low.m3u8?u=../x/./y&b=%7B%24x%7D#fr/../ag", "https://edge.example/videos/film/hd/low.m3u8?u=../x/./y&b=%7B%24x%7D#fr/../ag"),
    ("l o%20w.m3u8?sig=a+b/c==", "https://edge.example/videos/film/hd/l o%20w.m3u8?sig=a+b/c=="),
    ("é.m3u8", "https://edge.example/videos/film/hd/é.m3u8"),
    ("low.m3u8?", "https://edge.example/videos/film/hd/low.m3u8?"),
    ("./a:b", "https://edge.example/videos/film/hd/a:b"),
    ("low.m3u8?t=12:30", "https://edge.example/videos/film/hd/low.m3u8?t=12:30"),
]  # fmt: skip


@pytest.mark.parametrize("origins", [(), (ORIGIN,)])
@pytest.mark.parametrize(("uri", "expected"), RELATIVE)
def test_relative_references_resolve_below_the_edge(
    uri: str, expected: str, origins: tuple[str, ...]
) -> None:
    """RFC 3986 5.2 on the source's own path; nothing is re-encoded, nothing leaves the edge."""
    assert expected == rebase(uri, SOURCE, EDGE, origins)


ABSOLUTE = [
    ("under the origin", "https://origin.example/vod/a/b.m3u8?x#y", f"{EDGE}a/b.m3u8?x#y"),
    ("host in capitals", "HTTPS://ORIGIN.example/vod/a", f"{EDGE}a"),
    ("default port", "https://origin.example:443/vod/a", f"{EDGE}a"),
    ("dots within", "https://origin.example/vod/x/../a", f"{EDGE}a"),
    ("scheme-relative", "//origin.example/vod/a", f"{EDGE}a"),
    ("root-relative", "/vod/a.m3u8", f"{EDGE}a.m3u8"),
    ("the origin itself", "https://origin.example/vod/", EDGE),
    ("a path that only starts alike", "https://origin.example/vodka/a", None),
    ("dots out of it", "https://origin.example/vod/../secret", None),
    ("another port", "https://origin.example:8443/vod/a", None),
    ("another scheme", "http://origin.example/vod/a", None),
    ("another host", "https://cdn.example/vod/a", None),
    ("no path at all", "https://origin.example", None),
]


@pytest.mark.parametrize(("name", "uri", "expected"), ABSOLUTE)
def test_absolute_uris_under_the_origin_move(name: str, uri: str, expected: str | None) -> None:
    """Any other absolute URI stays as it is."""
    assert (expected or uri) == rebase(uri, SOURCE, EDGE, [ORIGIN])


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://cdn.example/a/../b?x", "https://cdn.example/a/../b?x"),
        ("//cdn.example/mid.m3u8", "https://cdn.example/mid.m3u8"),
        ("data:text/plain,a", "data:text/plain,a"),
        ("skd://key", "skd://key"),
    ],
)
def test_absolute_uris_stay_without_an_origin(uri: str, expected: str) -> None:
    """``//host`` takes the scheme of the edge (RFC 3986 5.2.2)."""
    assert expected == rebase(uri, SOURCE, EDGE)


@pytest.mark.parametrize(
    ("source", "edge", "origin", "uri", "expected"),
    [
        ("master.m3u8", "http://e/", None, "a", "http://e/a"),
        ("master.m3u8", "http://e", None, "../a", "http://e/a"),
        ("x/m.m3u8", "http://e/v", None, "a", "http://e/v/x/a"),
        ("x/m.m3u8", "http://e/v", "https://o/p", "https://o/p/a", "http://e/v/a"),
        ("x/m.m3u8", "http://e/v", "https://o", "https://o/a", "http://e/v/a"),
        ("x/m.m3u8", "http://e/v", "https://o", "/a", "http://e/v/a"),
        ("x/m.m3u8", "http://e/v", "http://o:80/", "//o/a", "http://e/v/a"),
        ("x/m.m3u8", "http://e/v", "custom://o/", "custom://o/a", "http://e/v/a"),
        ("x/m.m3u8", "http://e/v", "https://o/", "https://o", "http://e/v/"),
        ("x/m.m3u8", "http://e/v", "https://o", "//o:443?a#b", "http://e/v/?a#b"),
        ("x/m.m3u8", "http://e/v", "https://o/p", "https://o", "https://o"),
    ],
)
def test_slashes_at_the_end_do_not_matter(
    source: str, edge: str, origin: str | None, uri: str, expected: str
) -> None:
    """An edge or an origin means the same folder with and without its last slash, and a host alone
    means its root (RFC 3986 6.2.3)."""
    assert expected == rebaser(source, edge, [origin] if origin else [])(uri)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b/c/./../../g", "/a/g"),
        ("/a/./b", "/a/b"),
        ("/..", "/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a//../b", "/a/b"),
        ("/.a/b..", "/.a/b.."),
    ],
)
def test_dot_segments_leave(path: str, expected: str) -> None:
    """RFC 3986 5.2.4, with its own example first."""
    assert expected == remove_dot_segments(path)
