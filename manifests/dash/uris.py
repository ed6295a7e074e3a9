"""Where does every URI of an MPD lead when edges serve it?

An edge mirrors the source's root. One absolute BaseURL at the MPD level moves nearly everything
there, since most URIs are relative (E13). With content steering there is one for each edge that the
session may use, the first to use first (E3, E4); then whatever leads to the edges from below the
MPD level stays relative to these, so that all of it moves when the player does.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from manifests.dash.links import DVB, QUERYPART, Bases, HeadElement, Link, Links, QueryInfo
from manifests.dash.markup import escape_text, escape_value
from manifests.dash.splices import Splice, remove_element
from manifests.fault import ManifestError
from manifests.rebase import OriginUrl, Place, Rebaser, below_any, remove_dot_segments, uri_parts

_NAME = re.compile(r"[^\s/?#:.][^\s/?#:]*")
_FOLDER = re.compile(r"[^\s?#]*")
_QUERY = re.compile(r"[?#]")
_PARAMETER = re.compile(r"[A-Za-z0-9._~-]+")
_EXPLICIT = re.compile(r"\$query:([^$]*)\$")

MAX_LIST: Final = 4096
"""Characters. Each URI of a list may become much longer."""
MAX_BASE: Final = 8192
"""Characters. What is relative to a longer base is not looked at: each link is resolved anew."""


class Mirror(NamedTuple):
    """A URL that mirrors the source's root, with a slash at its end, and its pathway id. ``place``
    signs its URLs, None where they are not signed."""

    url: str
    pathway: str
    place: Place | None = None

    def at(self, path: str) -> str:
        """The URL of a path below the root."""
        return f"{self.url}{path}" if self.place is None else self.place(path)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the URIs of one MPD lead.

    ``path`` is its place below the source's root, such as ``film/manifest.mpd``. ``mirrors`` are
    the edges, the one to load from first; there are others only when it is steered. ``origin_urls``
    are URLs of the source's root, the one that it was fetched from first; none for a source on
    disk. ``location`` is where the player refreshes, ``steering_url`` its steering server, both
    absolute; None without one. ``parameters`` are the names of the query parameters of the player's
    URL for the MPD that are not the gateway's own.
    """

    path: str
    mirrors: tuple[Mirror, ...]
    origin_urls: tuple[str, ...] = ()
    location: str | None = None
    steering_url: str | None = None
    parameters: tuple[str, ...] = ()


def uri_splices(
    links: Links, destination: Destination, max_growth: int | None = None
) -> list[Splice]:
    """The edits that lead every URI of an MPD where it belongs.

    - A BaseURL at the MPD level becomes absolute on the edge; one is added where there is none.
      Absolute ones elsewhere stay.
    - Below, absolute URIs under ``origin_urls``, and those that would lead above an edge's root or
      past its path, are led below the edge.
    - A steered MPD has the serviceLocation of edges alone: Shaka resolves a BaseURL that has one
      against the URL of the MPD (G9). Where a BaseURL leads elsewhere, it stays.
    - Links to other MPDs and parts of MPDs (xlink) lead to the edge. Clocks, license servers and
      reports stay with the origin: relative ones become absolute there.
    - Location becomes ``location``, and PatchLocation goes (E11, E12).
    - Query parameters of the gateway are not copied to segments (E14).

    Raises ManifestError as soon as rewritten URIs add more than ``max_growth`` characters.
    """
    return _Writing(links, destination, max_growth).splices()


def query_names(links: Links, names: Iterable[str]) -> tuple[str, ...]:
    """Those of a request's parameters, by name, that the MPD has players copy to other requests:
    what :class:`Destination` needs of them, and what ``location`` has to repeat."""
    infos = links.query_infos
    if not infos:
        return ()
    asked = {name for info in infos for name in _EXPLICIT.findall(info.template)}
    every = any(QUERYPART in info.template for info in infos)
    return tuple(
        sorted({name for name in names if name in asked or (every and _PARAMETER.fullmatch(name))})
    )


class _Writing:
    """The edits for one destination."""

    def __init__(self, links: Links, destination: Destination, max_growth: int | None) -> None:
        self._links = links
        self._document = links.document
        self._to = destination
        self._resolver = Resolver(destination)
        self._left = self._most = max_growth

    def splices(self) -> list[Splice]:
        """All of them."""
        links, resolver = self._links, self._resolver
        splices = self._head()
        for link in links.media:
            self._replace(splices, link, resolver.media(link))
        for link in links.manifests:
            self._replace(splices, link, _moved(resolver.manifest, link))
        for link in links.services:
            self._replace(splices, link, _moved(resolver.service, link))
        if self._to.steering_url is not None:
            splices += [
                Splice(link.start, link.end)
                for link in links.located
                if resolver.leads_to_edge(link.bases, link.uri)
            ]
        for info in links.query_infos:
            self._query(splices, info)
        return splices

    def _replace(self, splices: list[Splice], link: Link, uri: str) -> None:
        if uri == link.uri:
            return
        text = escape_value(uri, link.quote) if link.quote else escape_text(uri)
        splices.append(Splice(link.start, link.end, text))
        self._grow(len(text) - len(link.uri))

    def _grow(self, characters: int) -> None:
        if self._left is not None:
            self._left -= characters
            if self._left < 0:
                problem = f"its URIs on an edge add more than {self._most} characters"
                raise ManifestError(self._document.name, None, "F13", problem)

    def _query(self, splices: list[Splice], info: QueryInfo) -> None:
        """Have an element copy the parameters of the player's URL that are not the gateway's, not
        all of them. When it would copy nothing, it goes: Shaka drops an AdaptationSet with an empty
        template."""
        count = info.template.count(QUERYPART)
        if not count:
            return
        own = filter(None, info.own)
        names = "&".join([f"$query:{name}$" for name in (*self._to.parameters, *own)])
        self._grow(count * len(names))
        parts = [part.replace(QUERYPART, names) for part in info.template.split("&")]
        template = "&".join(filter(None, parts))
        if not template and info.owner is not None:
            splices.append(remove_element(self._document, info.owner))
            return
        text = escape_value(template, info.quote or '"')
        text = text if info.quote else f' queryTemplate="{text}"'
        splices.append(Splice(info.start, info.end, text))

    def _head(self) -> list[Splice]:
        """The edits of BaseURL, Location and PatchLocation at the MPD level, and ContentSteering
        behind them (C1.5)."""
        links, to = self._links, self._to
        splices: list[Splice] = []
        steered = to.steering_url is not None
        given = [each for each in links.head if each.name == "BaseURL"]
        new = self._steered(splices, given) if steered else self._moved(splices, given)
        location = None if to.location is None else self._element("Location", "", to.location)
        if not given and links.head:  # BaseURL comes before Location (E1)
            text = "".join([f"{links.indentation}{element}" for element in new])
            splices.append(Splice(links.head[0].outer, links.head[0].outer, text))
            new = []
        for each in links.head:
            if each.name == "Location" and location is not None:
                splices.append(Splice(each.start, each.end, location))
                location = None
            elif each.name != "BaseURL":
                splices.append(Splice(each.outer, each.end))
        if location is not None:
            new.append(location)
        if to.steering_url is not None:
            start = f' defaultServiceLocation="{escape_value(to.mirrors[0].pathway)}"'
            new.append(self._element("ContentSteering", start, to.steering_url))
        if new:
            text = "".join([f"{links.indentation}{element}" for element in new])
            splices.append(Splice(links.behind, links.behind, text))
        return splices

    def _element(self, name: str, attributes: str, text: str) -> str:
        """The markup of an element. ``attributes`` are markup, ``text`` is not."""
        name = f"{self._links.prefix}{name}"
        return f"<{name}{attributes}>{escape_text(text)}</{name}>"

    def _moved(self, splices: list[Splice], given: Sequence[HeadElement]) -> list[str]:
        """Lead the BaseURLs of the MPD level to the edge. Returns those to add."""
        if not given:
            return [self._element("BaseURL", "", self._resolver.folder)]
        for each in given:
            moved = self._resolver.base(each.uri)
            if each.inner is None:
                text = self._element("BaseURL", each.attributes, moved)
                splices.append(Splice(each.start, each.end, text))
            elif moved != each.uri:
                splices.append(Splice(*each.inner, escape_text(moved)))
        return []

    def _steered(self, splices: list[Splice], given: Sequence[HeadElement]) -> list[str]:
        """One BaseURL for each edge. Of several in the source, the preferred one is kept (E5): an
        edge has a copy of what the others lead to. Returns those to add."""
        links, mirrors = self._links, self._to.mirrors
        kept = min(given, key=_priority, default=None)
        uri, attributes = ("", "") if kept is None else (kept.uri, kept.attributes)
        below = self._resolver.below(uri, self._to.path) or ""
        if not uri:  # the folder of the MPD
            below = below[: below.rfind("/") + 1]
        if len(mirrors) > 1 and not links.binds_dvb and " xmlns:dvb=" not in attributes:
            attributes += f' xmlns:dvb="{DVB}"'
        new = []
        for number, mirror in enumerate(mirrors, 1):
            own = f' serviceLocation="{escape_value(mirror.pathway)}"'
            if len(mirrors) > 1:  # else media3 starts on any of them (G7)
                own += f' dvb:priority="{number}"'
            new.append(self._element("BaseURL", f"{attributes}{own}", mirror.at(below)))
        if kept is None:
            return new
        splices.append(Splice(kept.start, kept.end, links.indentation.join(new)))
        splices += [Splice(other.outer, other.end) for other in given if other is not kept]
        return []


def _priority(element: HeadElement) -> int:
    return element.priority


def _moved(move: Callable[[str], str], link: Link) -> str:
    """Move a URI, or each of a list of URIs; the text itself when none moves, there is none, or the
    list is too long."""
    if link.uri.isspace() or (link.is_list and len(link.uri) > MAX_LIST):
        return link.uri
    given = link.uri.split() if link.is_list else [link.uri.strip()]
    moved = [move(uri) for uri in given]
    return link.uri if moved == given else " ".join(moved)


class Resolver:
    """Resolves the URIs of one source for one destination.

    Bases and results are paths below the source's root, with their queries; None for a URI that
    leads elsewhere.
    """

    def __init__(self, destination: Destination) -> None:
        self._path = destination.path
        self._mirror = mirror = destination.mirrors[0]
        self._url = mirror.url
        self._origins = tuple(map(OriginUrl, destination.origin_urls))
        self._origin = destination.origin_urls[0] if destination.origin_urls else self._url
        origins = destination.origin_urls
        self._rebase = Rebaser(destination.path, self._url, origins, mirror.place)
        self._steered = destination.steering_url is not None
        self._known: dict[Bases, tuple[str | None, ...]] = {}
        self._folders: dict[tuple[Bases, str], str] = {}

    @property
    def folder(self) -> str:
        """The folder of the MPD on the edge."""
        return self._rebase("./")

    def base(self, uri: str) -> str:
        """A BaseURL of the MPD level, on the edge unless it leads elsewhere."""
        return self._rebase(uri) if uri else self.folder

    def below(self, uri: str, base: str) -> str | None:
        """What a URI leads to, resolved against ``base``."""
        scheme, authority, path, rest = uri_parts(uri)
        if scheme is not None or authority is not None:
            found = below_any(self._origins, scheme, authority, path)
            return None if found is None else f"{found}{rest}"
        if path.startswith("/"):
            absolute = remove_dot_segments(path)
            found = self._origins[0].below_path(absolute) if self._origins else None
            return f"{absolute[1:] if found is None else found}{rest}"
        base = uri_parts(base)[2]
        if not path:
            return f"{base}{rest}"
        folder = base.rpartition("/")[0]
        joined = f"/{folder}/{path}" if folder else f"/{path}"
        return f"{remove_dot_segments(joined)[1:]}{rest}"

    def bases(self, bases: Bases) -> tuple[str | None, ...]:
        """The alternatives of one level. Where alternatives meet alternatives, only the first of
        the level above counts: the number of combinations has no bound."""
        known = self._known.get(bases)
        if known is None:
            above = self._path if bases.parent is None else self.bases(bases.parent)[0]
            known = tuple([self._base(uri, above) for uri in bases.texts]) or (above,)
            self._known[bases] = known
        return known

    def _base(self, uri: str, above: str | None) -> str | None:
        found = self._under(uri, above)
        return None if found is None or len(found) > MAX_BASE else found

    def _under(self, uri: str, above: str | None) -> str | None:
        if above is None:
            scheme, authority, _, _ = uri_parts(uri)
            return None if scheme is None and authority is None else self.below(uri, "")
        return self.below(uri, above)

    def leads_to_edge(self, bases: Bases, uri: str) -> bool:
        """Whether a URI, resolved against its bases, leads to the edge and to nowhere else."""
        return all(self._under(uri, base) is not None for base in self.bases(bases))

    def media(self, link: Link) -> str:
        """A URI that is relative to BaseURLs. Segments of one folder move together."""
        folder, slash, name = link.uri.rpartition("/")
        if not slash or not _NAME.fullmatch(name) or not _FOLDER.fullmatch(folder):
            return self._media(link)
        key = link.bases, folder
        moved = self._folders.get(key)
        if moved is None:
            moved = self._folders[key] = self._media(link._replace(uri=f"{folder}/"))
        return f"{moved}{name}"

    def is_pinned(self, link: Link) -> bool:
        """Whether a media URI would lead to the first edge, wherever its player is steered: it
        lies outside of what the signature of its base covers."""
        moved = self._media(link)
        return moved != link.uri and uri_parts(moved)[0] is not None

    def _media(self, link: Link) -> str:
        uri = link.uri.strip()
        scheme, authority, path, _ = uri_parts(uri)
        absolute = scheme is not None or authority is not None
        alternatives = self.bases(link.bases)
        base = alternatives[0]
        if base is None and not absolute:
            return link.uri  # it follows its base, which leads elsewhere
        below = self.below(uri, base or "")
        if below is None:
            return link.uri if scheme is not None else f"{self._url.partition(':')[0]}:{uri}"
        if not absolute and path and path[0] != "/" and not self._leaves(alternatives, path):
            return link.uri
        if not absolute and not path and uri_parts(base or "")[2] != self._path:
            return link.uri  # only the MPD itself has another name on the edge
        relative = _relative(below, alternatives) if self._steered else None
        if relative is None or (
            self._mirror.place is not None and self._leaves(alternatives, uri_parts(relative)[2])
        ):
            return self._mirror.at(below)
        return relative

    def _leaves(self, bases: Sequence[str | None], path: str) -> bool:
        """Whether a relative path leads above the root, or above what the signature of one of its
        bases covers."""
        place, base = self._mirror.place, bases[0] or ""
        if place is None:
            return _climbs(base, path)
        return any(
            _climbs(each or "", path, place.covering(each or "").count("/")) for each in bases
        )

    def manifest(self, uri: str) -> str:
        """A link to another MPD, or to a part of one: on the edge, unless it leads elsewhere."""
        return self._rebase(uri) if _is_http(uri) else uri

    def service(self, uri: str) -> str:
        """A URL that only the origin has: resolved against the MPD's URL there."""
        scheme, authority, path, rest = uri_parts(uri)
        if scheme is not None:
            return uri
        origin_scheme, origin_authority, origin_path, _ = uri_parts(self._origin)
        if authority is not None:
            return f"{origin_scheme}:{uri}"
        host = f"{origin_scheme}://{origin_authority}"
        if path.startswith("/"):
            return f"{host}{remove_dot_segments(path)}{rest}"
        base = f"{origin_path.rstrip('/')}/{self._path}"
        if not path:
            return f"{host}{base}{rest}"
        folder = base.rpartition("/")[0]
        return f"{host}{remove_dot_segments(f'{folder}/{path}')}{rest}"


def _relative(target: str, bases: Sequence[str | None]) -> str | None:
    """The reference that leads to a path from each of these bases, whatever the URL of their root
    is: a player that changes the edge takes it along. None when one base leads elsewhere, or they
    are not equally deep."""
    folders = [None if base is None else uri_parts(base)[2].split("/")[:-1] for base in bases]
    first = folders[0]
    if first is None or any(each is None or len(each) != len(first) for each in folders):
        return None
    query = _QUERY.search(target)
    end = len(target) if query is None else query.start()
    segments, rest = target[:end].split("/"), target[end:]
    common = 0
    if all(each == first for each in folders):
        same = [one == other for one, other in zip(first, segments[:-1], strict=False)]
        common = [*same, False].index(False)
    up = "../" * (len(first) - common)
    reference = f"{up}{'/'.join(segments[common:])}{rest}"
    return reference if up else f"./{reference}"


def _is_http(uri: str) -> bool:
    scheme = uri_parts(uri)[0]
    return scheme is None or scheme.lower() in {"http", "https"}


def _climbs(base: str, path: str, floor: int = 0) -> bool:
    """Whether a relative path leads above the root, or above the folder of its base that is
    ``floor`` deep."""
    depth = uri_parts(base)[2].count("/") - floor
    for segment in path.split("/")[:-1]:
        if segment == "..":
            depth -= 1
            if depth < 0:
                return True
        elif segment != ".":
            depth += 1
    return depth == 0 and path.rpartition("/")[2] == ".."
