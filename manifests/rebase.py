"""Where does a URI of the source manifest lead when an edge serves it?

Resolves references as RFC 3986 section 5.2 does, on text alone: it re-encodes nothing and touches
no query or fragment, so signed tokens stay byte-identical (A10.2).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

_REFERENCE = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(.*)", re.DOTALL)
# A relative path with one dot at most, as most URIs are: the folder in front of it resolves it.
_PLAIN = re.compile(r'[^:/?#.{"\s][^:?#.{"\s]*(?:\.[^:/?#.{"\s]+)?(?:[?#][^{"\s]*)?')
_DOTS = re.compile(r"(?:^|/)\.\.?(?:/|$)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Place(Protocol):
    """Gives the URLs of files on an edge whose URLs are signed.

    Paths are relative to the edge's URL, and may have a query and a fragment. The URL of a folder,
    whose path ends with ``/``, holds for all below it.
    """

    def __call__(self, path: str) -> str:
        """The URL of a file or a folder."""
        ...

    def covering(self, path: str) -> str:
        """The folder below which URLs may be made from that of ``path`` by resolving relative
        references: ``""``, or ending with ``/``."""
        ...


def rebase(uri: str, source_path: str, edge_url: str, origin_urls: Sequence[str] = ()) -> str:
    """The URI that leads to the same file on an edge.

    ``source_path`` is the manifest's path below the source's root, such as ``film/master.m3u8``.
    ``edge_url`` is a mirror of that root. So is each of ``origin_urls`` when the source is fetched
    over HTTP; the first that a URI lies below counts.

    - A relative reference is resolved below ``edge_url``. ``/x`` and surplus ``..`` resolve to the
      root, ``edge_url``, and never lead above it. A ``/x`` below the path of the first of
      ``origin_urls`` is made relative to that path first.
    - An absolute URI below one of ``origin_urls`` moves to the edge.
    - Any other absolute URI stays; ``//host/x`` gets the scheme of ``edge_url``.
    """
    return Rebaser(source_path, edge_url, origin_urls)(uri)


def rebaser(
    source_path: str, edge_url: str, origin_urls: Sequence[str] = (), place: Place | None = None
) -> "Rebaser":
    """A ``rebase`` to call for each URI of one manifest."""
    return Rebaser(source_path, edge_url, origin_urls, place)


class Rebaser:
    """Takes a URI and returns the new one. With ``place``, that gives the URLs on the edge."""

    def __init__(
        self,
        source_path: str,
        edge_url: str,
        origin_urls: Sequence[str] = (),
        place: Place | None = None,
    ) -> None:
        self._edge = edge_url if edge_url.endswith("/") else f"{edge_url}/"
        self._place = place
        self._path = source_path
        folder = source_path.rpartition("/")[0]
        self._below = f"/{folder}/" if folder else "/"
        self._origins = tuple(map(OriginUrl, origin_urls))
        below = remove_dot_segments(self._below)[1:]
        self._folder = f"{self._edge}{below}" if place is None else place(below)

    def __call__(self, uri: str) -> str:
        if _PLAIN.fullmatch(uri):
            return f"{self._folder}{uri}"
        scheme, authority, path, rest = uri_parts(uri)
        if scheme is not None or authority is not None:
            below = below_any(self._origins, scheme, authority, path)
            if below is None:
                return uri if scheme is not None else f"{self._edge.partition(':')[0]}:{uri}"
        elif not path:
            below = self._path
        elif path.startswith("/"):
            absolute = remove_dot_segments(path)
            found = self._origins[0].below_path(absolute) if self._origins else None
            below = absolute[1:] if found is None else found
        else:
            below = remove_dot_segments(f"{self._below}{path}")[1:]
        return f"{self._edge}{below}{rest}" if self._place is None else self._place(below + rest)


def remove_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4 for a path that starts with ``/``; empty segments stay."""
    if not _DOTS.search(path):
        return path
    segments = path.split("/")[1:]
    output: list[str] = []
    for segment in segments:
        if segment == "..":
            del output[-1:]
        elif segment != ".":
            output.append(segment)
    if segments[-1] in {".", ".."}:
        output.append("")
    return "/" + "/".join(output)


class OriginUrl:
    """A URL below which an origin's files lie."""

    def __init__(self, url: str) -> None:
        scheme, authority, path, _ = uri_parts(url)
        self._scheme = (scheme or "").lower()
        self._authority = _normal_authority(self._scheme, authority or "")
        self._path = path if path.endswith("/") else f"{path}/"

    def below(self, scheme: str | None, authority: str | None, path: str) -> str | None:
        """The path of an absolute URI relative to this URL, None when it does not lie below it.
        ``scheme`` is None for ``//host/x``."""
        its_scheme = self._scheme if scheme is None else scheme.lower()
        if its_scheme != self._scheme or authority is None:
            return None
        if _normal_authority(its_scheme, authority) != self._authority:
            return None
        return self.below_path(remove_dot_segments(path or "/"))  # RFC 3986 6.2.3

    def below_path(self, path: str) -> str | None:
        """A path relative to this URL's path, None when it does not lie below it."""
        return path[len(self._path) :] if path.startswith(self._path) else None


def below_any(
    origins: Iterable[OriginUrl], scheme: str | None, authority: str | None, path: str
) -> str | None:
    """:meth:`OriginUrl.below` of the first of ``origins`` that an absolute URI lies below."""
    for origin in origins:
        below = origin.below(scheme, authority, path)
        if below is not None:
            return below
    return None


def uri_parts(uri: str) -> tuple[str | None, str | None, str, str]:
    """Scheme, authority, path, and query with fragment, as RFC 3986 appendix B splits them."""
    match = _REFERENCE.fullmatch(uri)
    if match is None:  # pragma: no cover - the pattern matches every text
        raise AssertionError(uri)
    return match[1], match[2], match[3], match[4]


def _normal_authority(scheme: str, authority: str) -> str:
    """Host and port for comparison: lower case, without the scheme's default port."""
    return authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ":"))
