"""A second opinion on where the URIs of an MPD lead: every URL that a player may request for media.

It shares nothing with the product: ElementTree reads the MPD, and ``urljoin`` resolves.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

_PREFIX = re.compile(rb"<([\w.-]+):|\s([\w.-]+):[\w.-]+\s*=")
_DECLARED = re.compile(rb"\sxmlns:([\w.-]+)\s*=")
_MPD = re.compile(rb"<(?:[\w.-]+:)?MPD")

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"
ATTRIBUTES: Mapping[str, Sequence[str]] = {
    "SegmentTemplate": ("media", "initialization", "index", "bitstreamSwitching"),
    "SegmentURL": ("media", "index"),
    "Initialization": ("sourceURL",),
    "RepresentationIndex": ("sourceURL",),
    "BitstreamSwitching": ("sourceURL",),
    "InitializationSet": ("initialization",),
}


def bound(data: bytes) -> bytes:
    """An MPD in which every prefix is bound, as ElementTree needs it; players do not mind."""
    used = {name for pair in _PREFIX.findall(data) for name in pair if name}
    declared = set(_DECLARED.findall(data)) | {b"xml", b"xmlns"}
    more = b"".join(b' xmlns:%s="urn:%s"' % (name, name) for name in sorted(used - declared))
    return _MPD.sub(rb"\g<0>" + more, data, count=1)


def tree_of(data: bytes) -> ET.Element:
    """The root of an MPD."""
    return ET.parse(BytesIO(bound(data))).getroot()  # noqa: S314 - files of this repository


def base_urls(element: ET.Element) -> list[ET.Element]:
    """The BaseURLs of one level."""
    return element.findall(f"{NAMESPACE}BaseURL")


def media_urls(root: ET.Element, mpd_url: str) -> list[str]:
    """What the URIs of an MPD lead to, in document order: each with every combination of BaseURLs
    above it (23009-1 5.6.4), and the bases of Representations themselves. Templates keep their
    identifiers."""
    return list(_urls(root, [mpd_url]))


def _urls(element: ET.Element, bases: Sequence[str]) -> Iterator[str]:
    given = [(url.text or "").strip() for url in base_urls(element)]
    if given:
        bases = [urljoin(base, uri) for base in bases for uri in given]
    name = element.tag.removeprefix(NAMESPACE)
    if name == "Representation":
        yield from bases
    for attribute in ATTRIBUTES.get(name, ()):
        uri = element.get(attribute)
        if uri is not None:
            yield from [urljoin(base, uri) for base in bases]
    for child in element:
        yield from _urls(child, bases)
