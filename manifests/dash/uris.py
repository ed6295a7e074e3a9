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

from manifests.dash.document import Document, Element
from manifests.dash.links import QUERYPART, Bases, Link, Links, QueryInfo
from manifests.dash.markup import escape_text, escape_value
from manifests.dash.splices import (
    NewElement,
    Splice,
    insert_after,
    insert_before,
    remove_element,
    replace_element,
    set_text,
)
from manifests.rebase import OriginUrl, Rebaser, remove_dot_segments, uri_parts

DVB: Final = "urn:dvb:dash:dash-extensions:2014-1"
"""media3 and dash.js look for ``dvb:priority`` by this prefix, whatever it is bound to. They need
the priority to start on the first BaseURL (G7)."""
_HEAD: Final = frozenset({"BaseURL", "Location", "PatchLocation"})
_OURS: Final = frozenset({"serviceLocation", "dvb:priority", "dvb:weight"})
_PARAMETER = re.compile(r"[A-Za-z0-9._~-]+")
_EXPLICIT = re.compile(r"\$query:([^$]*)\$")
_PRIORITY = re.compile(r"[0-9]{1,9}")


class Mirror(NamedTuple):
    """A URL that mirrors the source's root, with a slash at its end, and its pathway id."""

    url: str
    pathway: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the URIs of one MPD lead.

    ``path`` is its place below the source's root, such as ``film/manifest.mpd``. ``mirrors`` are
    the edges, the one to load from first; there are others when it is steered, and then their URLs
    differ in the host alone. ``origin_urls`` are URLs of the source's root, the one that it was
    fetched from first; none for a source on disk. ``location`` is where the player refreshes,
    ``steering_url`` its steering server, both absolute; None without one. ``parameters`` are the
    names of the query parameters of the player's URL for the MPD that are not the gateway's own.
    """

    path: str
    mirrors: tuple[Mirror, ...]
    origin_urls: tuple[str, ...] = ()
    location: str | None = None
    steering_url: str | None = None
    parameters: tuple[str, ...] = ()


def uri_splices(links: Links, destination: Destination) -> list[Splice]:
    """The edits that lead every URI of an MPD where it belongs.

    - A BaseURL at the MPD level becomes absolute on the edge; one is added where there is none.
      Absolute ones elsewhere stay.
    - Below, absolute URIs under ``origin_urls``, and those that would lead above an edge's root or
      past its path, are led below the edge.
    - Links to other MPDs and parts of MPDs (xlink) lead to the edge. Clocks, license servers and
      reports stay with the origin: relative ones become absolute there.
    - Location becomes ``location``, and PatchLocation goes (E11, E12).
    - Query parameters of the gateway are not copied to segments (E14).
    """
    return _Writing(links, destination).splices()


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

    def __init__(self, links: Links, destination: Destination) -> None:
        self._links = links
        self._document = links.document
        self._to = destination
        self._resolver = Resolver(destination)

    def splices(self) -> list[Splice]:
        """All of them."""
        links, resolver = self._links, self._resolver
        splices = self._head()
        for link in links.media:
            _replace(splices, link, resolver.media(link))
        for link in links.manifests:
            _replace(splices, link, _each(resolver.manifest, link.uri))
        for link in links.services:
            _replace(splices, link, _each(resolver.service, link.uri))
        for info in links.query_infos:
            _query(splices, self._document, info, self._to.parameters)
        return splices

    def _head(self) -> list[Splice]:
        """The edits of BaseURL, Location and PatchLocation at the MPD level, and ContentSteering
        behind them (C1.5)."""
        document, root = self._document, self._document.root
        head = [child for child in root.children if child.name in _HEAD]
        splices: list[Splice] = []
        new = self._base_urls(splices, [child for child in head if child.name == "BaseURL"])
        written = self._to.location is None
        for child in head:
            if child.name == "Location" and not written and self._to.location is not None:
                element = NewElement("Location", text=self._to.location)
                splices.append(replace_element(document, child, element))
                written = True
            elif child.name != "BaseURL":
                splices.append(remove_element(document, child))
        if not written and self._to.location is not None:
            new.append(NewElement("Location", text=self._to.location))
        if self._to.steering_url is not None:
            new.append(
                NewElement(
                    "ContentSteering",
                    {"defaultServiceLocation": self._to.mirrors[0].pathway},
                    self._to.steering_url,
                )
            )
        if head:
            splices += [insert_after(document, head[-1], element) for element in new]
        else:
            others = (child for child in root.children if child.name != "ProgramInformation")
            after = next(others)  # a Period at least (E1)
            splices += [insert_before(document, after, element) for element in new]
        return splices

    def _base_urls(self, splices: list[Splice], given: Sequence[Element]) -> list[NewElement]:
        """Edit the BaseURLs of the MPD level. Returns those to add behind all others."""
        document, resolver = self._document, self._resolver
        if self._to.steering_url is not None:
            return self._steered(splices, given)
        if not given:
            return [NewElement("BaseURL", text=resolver.folder)]
        for element in given:
            uri = element.text.strip()
            moved = resolver.base(uri)
            if element.is_empty:
                new = NewElement("BaseURL", _attributes(document, element), moved)
                splices.append(replace_element(document, element, new))
            elif moved != uri:
                splices.append(set_text(element, moved))
        return []

    def _steered(self, splices: list[Splice], given: Sequence[Element]) -> list[NewElement]:
        """One BaseURL for each edge. Of several in the source, the preferred one is kept: an edge
        has a copy of what the others lead to."""
        document, mirrors = self._document, self._to.mirrors
        preferred = min(given, key=_priority, default=None)
        known = {} if preferred is None else _attributes(document, preferred)
        uri = "" if preferred is None else preferred.text.strip()
        below = self._resolver.below(uri, self._to.path) or ""
        folder = below if uri else f"{below.rpartition('/')[0]}/".removeprefix("/")
        new = []
        for number, mirror in enumerate(mirrors, 1):
            attributes = {**known, "serviceLocation": mirror.pathway}
            if len(mirrors) > 1:
                if not self._declares_dvb():
                    attributes.setdefault("xmlns:dvb", DVB)
                attributes["dvb:priority"] = str(number)
            new.append(NewElement("BaseURL", attributes, f"{mirror.url}{folder}"))
        if preferred is None:
            return new
        splices.append(replace_element(document, preferred, new[0]))
        splices += [insert_after(document, preferred, element) for element in new[1:]]
        splices += [remove_element(document, other) for other in given if other is not preferred]
        return []

    def _declares_dvb(self) -> bool:
        """Whether the MPD element binds the prefix that players look for."""
        markup = self._document.markup
        return any(
            name == "xmlns:dvb" and markup.text(start, end) == DVB
            for name, _, start, end in markup.attributes(self._document.root.start)
        )


def _attributes(document: Document, element: Element) -> dict[str, str]:
    """The attributes of a BaseURL as they are written, but those that edges get."""
    markup = document.markup
    values = iter(element.attributes.values())
    found = {}
    for name, _, start, end in markup.attributes(element.start):
        declares = name == "xmlns" or name.startswith("xmlns:")
        value = markup.text(start, end) if declares else next(values)
        if name not in _OURS:
            found[name] = value
    return found


def _priority(element: Element) -> int:
    """The DVB priority (E5): lower comes first, 1 when absent."""
    for name, value in element.attributes.items():
        if name.endswith("}priority") and _PRIORITY.fullmatch(value.strip()):
            return int(value)
    return 1


def _each(move: Callable[[str], str], uris: str) -> str:
    """Move each of a list of URIs; the text itself when none moves."""
    given = uris.split()
    moved = [move(uri) for uri in given]
    return uris if moved == given else " ".join(moved)


def _replace(splices: list[Splice], link: Link, uri: str) -> None:
    if uri != link.uri:
        quote = link.quote
        text = escape_value(uri, quote) if quote else escape_text(uri)
        splices.append(Splice(link.start, link.end, text))


def _query(
    splices: list[Splice], document: Document, info: QueryInfo, parameters: Sequence[str]
) -> None:
    """Have an element copy these parameters of the MPD's URL, not all of them. When it would copy
    nothing, it goes: Shaka drops an AdaptationSet with an empty template."""
    if QUERYPART not in info.template:
        return
    names = "&".join([f"$query:{name}$" for name in (*parameters, *filter(None, info.own))])
    parts = [part.replace(QUERYPART, names) for part in info.template.split("&")]
    template = "&".join(filter(None, parts))
    if not template and info.owner is not None:
        splices.append(remove_element(document, info.owner))
        return
    text = escape_value(template, info.quote or '"')
    text = text if info.quote else f' queryTemplate="{text}"'
    splices.append(Splice(info.start, info.end, text))


class Resolver:
    """Resolves the URIs of one source for one destination.

    Bases and results are paths below the source's root, with their queries; None for a URI that
    leads elsewhere.
    """

    def __init__(self, destination: Destination) -> None:
        self._path = destination.path
        self._url = destination.mirrors[0].url
        self._origins = tuple(map(OriginUrl, destination.origin_urls))
        self._origin = destination.origin_urls[0] if destination.origin_urls else self._url
        self._rebase = Rebaser(destination.path, self._url, destination.origin_urls)
        # Where clients change the host, what is below the MPD level must not name one.
        steered = destination.steering_url is not None
        self._root = f"/{self._url.split('/', 3)[3]}" if steered else self._url
        self._known: dict[Bases, tuple[str | None, ...]] = {}

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
            for origin in self._origins:
                found = origin.below(scheme, authority, path)
                if found is not None:
                    return f"{found}{rest}"
            return None
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
            known = tuple([self._under(uri, above) for uri in bases.texts]) or (above,)
            self._known[bases] = known
        return known

    def _under(self, uri: str, above: str | None) -> str | None:
        if above is None:
            scheme, authority, _, _ = uri_parts(uri)
            return None if scheme is None and authority is None else self.below(uri, "")
        return self.below(uri, above)

    def leads_to_edge(self, bases: Bases, uri: str) -> bool:
        """Whether a URI, resolved against its bases, leads to the edge and to nowhere else."""
        return all(self._under(uri, base) is not None for base in self.bases(bases))

    def media(self, link: Link) -> str:
        """A URI that is relative to BaseURLs."""
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
        if not absolute and path and path[0] != "/" and not _climbs(base or "", path):
            return link.uri
        if not absolute and not path and uri_parts(base or "")[2] != self._path:
            return link.uri  # only the MPD itself has another name on the edge
        fixed = None in alternatives
        return f"{self._url if fixed else self._root}{below}"

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


def _is_http(uri: str) -> bool:
    scheme = uri_parts(uri)[0]
    return scheme is None or scheme.lower() in {"http", "https"}


def _climbs(base: str, path: str) -> bool:
    """Whether a relative path leads above the root."""
    depth = uri_parts(base)[2].count("/")
    for segment in path.split("/")[:-1]:
        if segment == "..":
            depth -= 1
            if depth < 0:
                return True
        elif segment != ".":
            depth += 1
    return depth == 0 and path.rpartition("/")[2] == ".."
