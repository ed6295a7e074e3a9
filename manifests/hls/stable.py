"""Which id does an entry keep while its URI changes? (STABLE-VARIANT-ID, STABLE-RENDITION-ID)

A pathway clone names entries by these ids to give each a URI of its own (RFC 8216bis, section 7.3).
An entry without one gets a hash of its URI in the source: it is the same on all edges, in all
sessions, and in every process (A6.11, A8.7).
"""

import re
from base64 import b64encode
from hashlib import blake2b
from itertools import chain

from manifests.hls.blocks import MultivariantPlaylist, UriSlot
from manifests.hls.entries import Rendition, Variant

_ID = re.compile(r"[A-Za-z0-9+/=._-]+")
_BYTES = 9


def variant_id(entry: Variant) -> str:
    """The id of a variant or an I-frame playlist."""
    return entry.stable_id or _hash(entry.uri)


def rendition_id(entry: Rendition) -> str:
    """The id of a rendition; empty for one without a URI."""
    return entry.stable_id or ("" if entry.uri is None else _hash(entry.uri))


def has_stable_uris(playlist: MultivariantPlaylist) -> bool:
    """Whether each entry can be given a URI by its id: no URI depends on the player's query, no id
    of the source means two URIs, and all of them are legal."""
    late = any(isinstance(slot, UriSlot) and slot.late for b in playlist.blocks for slot in b.slots)
    if playlist.query_uses or late:
        return False
    streams = {(variant_id(each), each.uri) for each in chain(playlist.variants, playlist.iframes)}
    renditions = {
        (rendition_id(each), each.uri) for each in playlist.renditions if each.uri is not None
    }
    return all(
        len({name for name, _ in found}) == len(found)
        and all(_ID.fullmatch(name) for name, _ in found)
        for found in (streams, renditions)
    )


def _hash(uri: str) -> str:
    return b64encode(blake2b(uri.encode(), digest_size=_BYTES).digest(), b"-_").decode("ascii")
