"""Which ContentProtection descriptors refer to one that goes? (23009-1 5.8.4.1, rule E7)

A descriptor with @ref has the content of the one with that @refId, which may be in any set of any
Period. When that one goes, the first that refers to it takes its place.
"""

from collections.abc import Iterable, Iterator, Sequence

from manifests.dash.document import Document
from manifests.dash.elements import Element
from manifests.dash.filtered import Filtered
from manifests.dash.markup import is_declaration
from manifests.dash.splices import Splice

_NAME = "ContentProtection"


def has_references(elements: Iterable[Element]) -> bool:
    """Whether a ContentProtection of these elements refers to another one."""
    return any(
        child.name == _NAME and "ref" in child.attributes
        for element in elements
        for child in element.children
    )


def protections(document: Document, periods: Sequence[Filtered]) -> Iterator[Splice]:
    """The edits that put a descriptor that goes in the place of the first that refers to it."""
    left = [element for each in periods for element in _left(each)]
    starts = {element.start for element in left}
    known = {found.attributes.get("refId") for element in left for found in _descriptors(element)}
    lost: dict[str, tuple[Element, list[Element]]] = {}
    for each in periods:
        for found in each.period.adaptation_sets:
            around = [each.period.element, found.element]
            for chain in [around, *([*around, one.element] for one in found.representations)]:
                if chain[-1].start not in starts:
                    for descriptor in _descriptors(chain[-1]):
                        name = descriptor.attributes.get("refId")
                        if name is not None and name not in known:
                            lost.setdefault(name, (descriptor, chain))
    for element in left if lost else ():
        for descriptor in _descriptors(element):
            source = lost.pop(descriptor.attributes.get("ref", ""), None)
            if source is not None:
                yield Splice(descriptor.start, descriptor.end, _copy(document, *source))


def _left(each: Filtered) -> Iterator[Element]:
    """The sets and Representations that stay, in document order."""
    for found, representations in zip(each.stays, each.left, strict=True):
        yield found.element
        for representation in representations:
            yield representation.element


def _descriptors(element: Element) -> Iterator[Element]:
    return (child for child in element.children if child.name == _NAME)


def _copy(document: Document, descriptor: Element, around: Sequence[Element]) -> str:
    """The markup of a descriptor, with the namespaces that the elements around it declare."""
    markup = document.markup
    own = {name for name, *_ in markup.attributes(descriptor.start)}
    declared: dict[str, str] = {}
    for element in around:
        for name, _, start, end in markup.attributes(element.start):
            if name not in own and is_declaration(name):
                quote = markup.quote(end)
                declared[name] = f" {name}={quote}{markup.text(start, end)}{quote}"
    name_end = markup.name_end(descriptor.start)
    head, rest = markup.text(descriptor.start, name_end), markup.text(name_end, descriptor.end)
    return f"{head}{''.join(declared.values())}{rest}"
