"""Which URIs does an MPD have, and against what is each resolved?

Most of them are relative to a BaseURL (23009-1 5.6): they follow it wherever it leads, and need no
edit. What is collected here, once for each version of a source, is the rest.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Final, NamedTuple

from manifests.dash.document import XLINK_HREF, Document, Element
from manifests.rebase import uri_parts

_PLAIN = re.compile(r"[^/?#:\s][^/?#:]*(?:/[^?#]*)?(?:[?#].*)?", re.DOTALL)
"""A relative path. Below any base it leads to the same place, unless it has ``..``."""
_URI_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "SegmentTemplate": ("media", "initialization", "index", "bitstreamSwitching"),
    "SegmentURL": ("media", "index"),
    "Initialization": ("sourceURL",),
    "RepresentationIndex": ("sourceURL",),
    "BitstreamSwitching": ("sourceURL",),
    "InitializationSet": ("initialization",),
}
DVB: Final = "urn:dvb:dash:dash-extensions:2014-1"
"""media3 and dash.js look for ``dvb:priority`` by this prefix, whatever it is bound to."""
_HEAD: Final = frozenset({"BaseURL", "Location", "PatchLocation"})
_PRIORITIES: Final = frozenset({"dvb:priority", f"{{{DVB}}}priority"})
_OURS: Final = _PRIORITIES | {"serviceLocation", "dvb:weight", f"{{{DVB}}}weight"}
"""As they are written, and as XML resolves them: they may have another prefix."""
_PRIORITY = re.compile(r"[0-9]{1,9}")
_LEVELS: Final = frozenset({"Period", "AdaptationSet", "Representation"})
_CHAINING: Final = "urn:mpeg:dash:chaining:2016"
_FALLBACK: Final = "urn:mpeg:dash:fallback:2016"
_FONTS: Final = "urn:dvb:dash:fontdownload:2014"
_LICENSES: Final = frozenset({"laurl", "authzurl", "certurl"})
_CLOCKS = re.compile(r"urn:mpeg:dash:utc:http-(?:head|xsdate|iso|ntp):", re.IGNORECASE)
_QUERY_INFOS: Final = frozenset({"UrlQueryInfo", "ExtUrlQueryInfo", "RequestParam"})
_EVENT_TAG = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    rb"|(<(?:[\w.-]+:)?(?:InsertPresentation|ReplacePresentation|RequestParam)[\s/>])",
    re.DOTALL,
)


MAX_ABSOLUTE: Final = 64
"""So many different absolute BaseURLs below the MPD level are looked at for each answer."""
MAX_ALTERNATIVES: Final = 32
"""So many BaseURLs of one level are looked at: each link below them is resolved against each."""
QUERYPART: Final = "$querypart$"
"""In a template: all parameters."""


class Bases:
    """The BaseURLs of one level, as they stand there, and those of the level above, None above the
    MPD. ``texts`` are alternatives (E3)."""

    __slots__ = ("parent", "texts")

    def __init__(self, parent: "Bases | None", texts: tuple[str, ...]) -> None:
        self.parent = parent
        self.texts = texts


class Link(NamedTuple):
    """A URI, and where it stands in the source's bytes. ``quote`` is the one around an attribute's
    value, empty for an element's text. ``is_list``: there may be several, separated by white space.
    """

    start: int
    end: int
    quote: str
    uri: str
    bases: Bases
    is_list: bool = False


class QueryInfo(NamedTuple):
    """An element that copies parameters of the MPD's URL into other requests (E14).

    ``template`` is its @queryTemplate, which stands from ``start`` to ``end``; without ``quote``,
    the attribute is absent and belongs there. ``own`` are the names of the parameters in its
    @queryString. ``owner`` is the element that does nothing else, None in an EventStream.
    """

    template: str
    start: int
    end: int
    quote: str
    own: tuple[str, ...]
    owner: Element | None


class HeadElement(NamedTuple):
    """A BaseURL, Location or PatchLocation at the MPD level.

    It stands from ``start`` to ``end``; ``outer`` is where its line starts when nothing else is on
    it, else ``start``. ``inner`` is where its text stands, None in an empty-element tag.
    ``attributes`` are those that edges do not get of their own, as they are written. ``priority``
    is its DVB priority (E5).
    """

    name: str
    uri: str
    start: int
    end: int
    outer: int
    inner: tuple[int, int] | None
    attributes: str
    priority: int


@dataclass(slots=True)
class Links:
    """The URIs of an MPD that may need an edit, and where new ones belong.

    ``head`` is what the MPD level has of them; without any, new elements belong at ``behind``.
    ``indentation`` goes in front of each, ``prefix`` in front of its name. ``binds_dvb``: the MPD
    element binds the prefix ``dvb``.

    ``media`` are relative to BaseURLs; plain ones are left out. ``manifests`` are relative to the
    URL of the MPD, and lead to what a mirror of the source has as well. ``services`` are relative
    to it, and lead to what only the origin has: clocks, licenses, reports. Relative ones are
    collected, and of ``manifests`` also absolute ones. ``segments`` are the bases of each
    Representation, with the URI of its segments below them. ``nests`` says that a BaseURL below the
    MPD level is relative to another, or that there are more than ``MAX_ABSOLUTE`` that are
    ``absolute``. ``located`` are the BaseURLs below the MPD level that have a serviceLocation, with
    the place of that attribute.
    """

    document: Document
    top: Bases
    prefix: str
    indentation: str
    behind: int
    binds_dvb: bool
    head: tuple[HeadElement, ...]
    media: list[Link] = field(default_factory=list)
    manifests: list[Link] = field(default_factory=list)
    services: list[Link] = field(default_factory=list)
    query_infos: list[QueryInfo] = field(default_factory=list)
    segments: dict[tuple[Bases, str], None] = field(default_factory=dict)
    steers: bool = False
    nests: bool = False
    absolute: dict[str, None] = field(default_factory=dict)
    located: list[Link] = field(default_factory=list)


def links_of(document: Document) -> Links:
    """Collect the links of an MPD, which has a Period at least (E1)."""
    root, markup = document.root, document.markup
    head = tuple([_head(document, child) for child in root.children if child.name in _HEAD])
    first = next(child for child in root.children if child.name != "ProgramInformation")
    indentation = markup.indentation(head[-1].start if head else first.start)
    tops = [each.uri for each in head if each.name == "BaseURL"]
    found = Links(
        document=document,
        top=Bases(None, tuple(tops[:MAX_ALTERNATIVES])),
        prefix="".join(markup.tag_name(root.start).rpartition(":")[:2]),
        indentation=indentation,
        behind=head[-1].end if head else first.start - len(indentation) * markup.width,
        binds_dvb=any(
            name == "xmlns:dvb" and markup.text(start, end) == DVB
            for name, _, start, end in markup.attributes(root.start)
        ),
        head=head,
    )
    _Collecting(found).children(root, found.top, "")
    return found


def _head(document: Document, element: Element) -> HeadElement:
    markup = document.markup
    attributes, priority = "", 1
    if not markup.source.startswith(b">", markup.name_end(element.start)):
        for known, name, _, start, end in document.written_attributes(element):
            if _OURS.isdisjoint((name, known)):
                attributes += f" {name}={markup.text(start - markup.width, end + markup.width)}"
            elif not _PRIORITIES.isdisjoint((name, known)):
                value = element.attributes[known].strip()
                priority = int(value) if _PRIORITY.fullmatch(value) else priority
    return HeadElement(
        element.name,
        element.text.strip(),
        element.start,
        element.end,
        document.line_span(element)[0],
        None if element.is_empty else (element.head_end, element.tail_start),
        attributes,
        priority,
    )


class _Collecting:
    """Walks the elements of one MPD."""

    def __init__(self, found: Links) -> None:
        self._found = found
        self._document = found.document
        self._markup = found.document.markup
        self._special: Mapping[str, Callable[[Element, Bases], None]] = {
            "EssentialProperty": self._descriptor,
            "SupplementalProperty": self._descriptor,
            "UTCTiming": self._clock,
            "ContentSteering": self._steering,
            "ImportedMPD": self._imported,
            "EventStream": self._events,
            "Reporting": self._reporting,
            "ContentProtection": self._licenses,
            "RequestParam": self._request_param,
        }

    def children(self, element: Element, bases: Bases, media: str) -> None:
        """Collect what stands below an element. ``bases`` are those in force for its children, and
        ``media`` is the URI of the segments that they inherit."""
        for child in element.children:
            name = child.name
            if XLINK_HREF in child.attributes:
                self._attribute(self._found.manifests, child, XLINK_HREF, bases)
            attributes = _URI_ATTRIBUTES.get(name)
            if attributes is not None:
                given = child.attributes
                uris = [name for name in attributes if name in given and not is_plain(given[name])]
                if uris:
                    self._media(child, uris, bases)
                if child.children:
                    self.children(child, bases, media)
            elif name in _LEVELS:
                self._level(child, bases, media)
            elif name in self._special:
                self._special[name](child, bases)
            elif child.children and name not in _HEAD:  # their text is replaced as a whole
                self.children(child, bases, media)

    def _media(self, element: Element, names: Sequence[str], bases: Bases) -> None:
        """Collect URIs in attributes without a prefix."""
        markup = self._markup
        places = {name: (start, end) for name, _, start, end in markup.attributes(element.start)}
        for name in names:
            start, end = places[name]
            quote, uri = markup.quote(end), element.attributes[name]
            self._found.media.append(Link(start, end, quote, uri, bases))

    def _level(self, element: Element, above: Bases, media: str) -> None:
        """Collect an element that may have BaseURLs and segments of its own."""
        texts: list[str] = []
        for child in element.children:
            if child.name == "BaseURL":
                uri = child.text.strip()
                texts.append(uri)
                if "serviceLocation" in child.attributes:
                    before, _, end = self._document.attribute_place(child, "serviceLocation")
                    end += self._markup.width
                    self._found.located.append(Link(before, end, "", uri, above))
                self._nested(uri)
                if not is_plain(uri):
                    self._text(self._found.media, child, above)
            elif child.name == "SegmentTemplate":
                media = child.attributes.get("media", media)
            elif child.name == "SegmentBase":
                media = ""
            elif child.name == "SegmentList":
                first = child.first("SegmentURL")
                media = media if first is None else first.attributes.get("media", "")
        bases = Bases(above, tuple(texts[:MAX_ALTERNATIVES])) if texts else above
        principal = element.attributes.get("initializationPrincipal")
        if principal is not None and not is_plain(principal):
            self._media(element, ["initializationPrincipal"], bases)
        if element.name == "Representation":
            self._found.segments[bases, media] = None
        self.children(element, bases, media)

    def _nested(self, uri: str) -> None:
        """Note what a BaseURL below the MPD level is relative to."""
        found = self._found
        if uri_parts(uri)[:2] == (None, None) or len(found.absolute) >= MAX_ABSOLUTE:
            found.nests = True
        else:
            found.absolute[uri] = None

    def _clock(self, element: Element, bases: Bases) -> None:
        if _CLOCKS.match(element.attributes.get("schemeIdUri", "").strip()):
            self._attribute(self._found.services, element, "value", bases, is_list=True)

    def _steering(self, element: Element, bases: Bases) -> None:
        self._found.steers = True
        self._text(self._found.services, element, bases)

    def _imported(self, element: Element, bases: Bases) -> None:
        self._text(self._found.manifests, element, bases)
        self._attribute(self._found.manifests, element, "uri", bases)

    def _reporting(self, element: Element, bases: Bases) -> None:
        for name in element.attributes:
            if name.endswith("}reportingUrl"):
                self._attribute(self._found.services, element, name, bases)

    def _descriptor(self, element: Element, bases: Bases) -> None:
        scheme = element.attributes.get("schemeIdUri", "").strip()
        if scheme in {_CHAINING, _FALLBACK}:
            several = scheme == _FALLBACK
            self._attribute(self._found.manifests, element, "value", bases, is_list=several)
        elif scheme == _FONTS:
            for attribute, uri in element.attributes.items():
                if attribute.endswith("}url") and not is_plain(uri):
                    self._attribute(self._found.media, element, attribute, bases)
        for child in element.children:
            name = child.name.rpartition("}")[2]
            if name in _QUERY_INFOS:
                self._query_info(name, child.start, element)
            if XLINK_HREF in child.attributes:
                self._attribute(self._found.manifests, child, XLINK_HREF, bases)

    def _licenses(self, element: Element, bases: Bases) -> None:
        """The URLs of license servers (DASH-IF IOP 7; ``ms:laurl``)."""
        for child in element.children:
            if child.name.rpartition("}")[2].lower() in _LICENSES:
                self._text(self._found.services, child, bases)
                self._attribute(self._found.services, child, "licenseUrl", bases)

    def _events(self, element: Element, bases: Bases) -> None:
        """What an EventStream says of other MPDs and of queries; its content has no Elements."""
        markup = self._markup
        start, end = element.head_end // markup.width, element.tail_start // markup.width
        for found in _EVENT_TAG.finditer(markup.units, start, end):
            if found[1] is None:
                continue
            at = found.start() * markup.width
            if b"RequestParam" in found[1]:
                self._query_info("RequestParam", at, None)
                continue
            for name, _, begin, stop in markup.attributes(at):
                if name in {"uri", "url"}:
                    uri = unescape(markup.text(begin, stop))
                    link = Link(begin, stop, markup.quote(stop), uri, bases)
                    self._found.manifests.append(link)

    def _request_param(self, element: Element, _bases: Bases) -> None:
        self._query_info("RequestParam", element.start, element)

    def _query_info(self, name: str, at: int, owner: Element | None) -> None:
        """Collect the element whose tag starts at the offset ``at``."""
        markup = self._markup
        attributes = markup.attributes(at)
        values = {key: unescape(markup.text(begin, end)) for key, _, begin, end in attributes}
        if values.get("useMPDUrlQuery", "").strip() not in {"true", "1"}:
            return
        own = tuple([pair.partition("=")[0] for pair in values.get("queryString", "").split("&")])
        for key, _, begin, end in attributes:
            if key == "queryTemplate":
                quote = markup.quote(end)
                info = QueryInfo(values[key], begin, end, quote, own, owner)
                self._found.query_infos.append(info)
                return
        if name == "RequestParam":  # the others do nothing without a template
            after = attributes[-1][3] + markup.width
            info = QueryInfo(QUERYPART, after, after, "", own, owner)
            self._found.query_infos.append(info)

    def _attribute(
        self,
        links: list[Link],
        element: Element,
        name: str,
        bases: Bases,
        *,
        is_list: bool = False,
    ) -> None:
        uri = element.attributes.get(name)
        if uri:
            start, end = self._document.attribute_span(element, name)
            links.append(Link(start, end, self._markup.quote(end), uri, bases, is_list))

    def _text(self, links: list[Link], element: Element, bases: Bases) -> None:
        uri = element.text.strip()
        if uri:
            links.append(Link(element.head_end, element.tail_start, "", uri, bases))


def is_plain(uri: str) -> bool:
    """Whether a URI is a relative path without ``..``: below any base, it leads to the same
    place. So does none at all."""
    return ".." not in uri and (_PLAIN.fullmatch(uri) is not None or not uri.strip())
