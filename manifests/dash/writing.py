"""What bytes does a player get? A source MPD with its edits applied and its URIs moved."""

from collections.abc import Iterable

from manifests.dash.document import Document
from manifests.dash.links import Links
from manifests.dash.splices import Splice, apply
from manifests.dash.uris import Destination, uri_splices
from manifests.fault import ManifestError


def write(
    links: Links,
    edits: Iterable[Splice],
    destination: Destination,
    max_bytes: int | None = None,
) -> bytes:
    """The MPD with ``edits`` (:mod:`manifests.dash.filtering`) and the URIs of ``destination``, in
    the encoding of the source. Every byte outside of an edit is the source's (E15).

    Raises ManifestError when it is longer than ``max_bytes``.
    """
    document: Document = links.document
    # Of what is inserted at one place, BaseURL and Location come first (E1).
    written = apply(document, [*uri_splices(links, destination, max_bytes), *edits])
    if max_bytes is not None and len(written) > max_bytes:
        problem = f"its URIs on an edge make it longer than {max_bytes} bytes"
        raise ManifestError(document.name, None, "F13", problem)
    return written
