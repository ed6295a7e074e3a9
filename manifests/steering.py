"""The steering manifest: which pathways should a player prefer? One body for HLS and for DASH.

RFC 8216bis, sections 7.2 and 7.3; draft-pantos-content-steering-05, section 4; ETSI TS 103 998.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from manifests.rebase import Place

MEDIA_TYPE: Final = "application/vnd.apple.steering-list"
"""Rule C2.4."""

_PATHWAY = re.compile(r"[A-Za-z0-9._-]+")
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_URI = re.compile(r"[!#-\[\]-~]+")
_PLAYERS_PARAMETER = re.compile(r"[?&]_(?:HLS|DASH)_")


class SteeringTags(NamedTuple):
    """Content steering to add to a playlist that has none: the URL of the steering manifest, and
    the pathway id of everything that the playlist lists (C1.1, C1.2).

    ``copies`` are further pathways on which everything is listed once more, by their ids: each with
    the URL of its edge, and what signs it, None for an edge that does not sign (C1.3).
    ``stable_ids``: entries without a STABLE-VARIANT-ID or a STABLE-RENDITION-ID get one.
    """

    server_uri: str
    pathway: str
    copies: tuple[tuple[str, str, Place | None], ...] = ()
    stable_ids: bool = False


MAX_INLINE_CHARS: Final = 4096
"""A longer steering manifest is not put into a playlist."""


def inline_uri(manifest: bytes) -> str | None:
    """A steering manifest as a SERVER-URI (RFC 2397; C1.1); None when it is too long.

    It is base64: VHS decodes nothing else, and URI classes change what is escaped otherwise.
    """
    uri = f"data:{MEDIA_TYPE};base64,{b64encode(manifest).decode('ascii')}"
    return uri if len(uri) <= MAX_INLINE_CHARS else None


class PathwayClone(NamedTuple):
    """A pathway that the playlist does not declare: the pathway ``base`` on another ``host``."""

    base: str
    id: str
    host: str


class UriClone(NamedTuple):
    """A pathway that the playlist does not declare: the pathway ``base`` with other URIs, by the
    stable ids of variants and of renditions (RFC 8216bis, section 7.3)."""

    base: str
    id: str
    variants: Mapping[str, str]
    renditions: Mapping[str, str]

    def item(self) -> str:
        """Its object in PATHWAY-CLONES. media3 takes an empty object for none."""
        given = {"PER-VARIANT-URIS": self.variants, "PER-RENDITION-URIS": self.renditions}
        replacement = {name: uris for name, uris in given.items() if uris}
        clone = {"BASE-ID": self.base, "ID": self.id, "URI-REPLACEMENT": replacement}
        return json.dumps(clone, separators=(",", ":"))


def write_steering_manifest(
    ttl_s: int, reload_uri: str, priority: Sequence[str], clones: Sequence[PathwayClone] = ()
) -> bytes:
    """A steering manifest. ``priority`` are pathway ids, best first; ``ttl_s`` is in seconds.

    Raises ValueError for what players refuse, or stop asking after: a TTL below 1, no pathway, one
    of them twice, an id or a host with other characters (rules C1.2, C2.1, C2.2), or a
    ``reload_uri`` with parameters that players add (C3.2).
    """
    if ttl_s < 1:
        raise ValueError(f"the TTL is {ttl_s}")
    if not priority or len(set(priority)) != len(priority):
        raise ValueError(f"no pathways, or one of them twice: {list(priority)}")
    if _PLAYERS_PARAMETER.search(reload_uri) or not _URI.fullmatch(reload_uri):
        raise ValueError(f"the RELOAD-URI has a player's parameter, or is none: {reload_uri!r}")
    for pathway in priority:
        if not _PATHWAY.fullmatch(pathway):
            raise ValueError(f"not a pathway id: {pathway!r}")
    _check(clones)
    return render_steering_manifest(ttl_s, reload_uri, priority, clones)


def render_steering_manifest(
    ttl_s: int,
    reload_uri: str,
    priority: Sequence[str],
    clones: Sequence[PathwayClone] = (),
    more: Sequence[UriClone] = (),
) -> bytes:
    """:func:`write_steering_manifest` without its checks, for what was checked when it was
    configured: half of the time. ``more`` are clones whose URIs are given."""
    # Nothing in here needs an escape, so that the text is JSON as it is.
    named = '","'.join(priority)
    text = f'{{"VERSION":1,"TTL":{ttl_s},"RELOAD-URI":"{reload_uri}","PATHWAY-PRIORITY":["{named}"]'
    if clones or more:  # media3 refuses an empty list
        items = [
            f'{{"BASE-ID":"{base}","ID":"{pathway}","URI-REPLACEMENT":{{"HOST":"{host}"}}}}'
            for base, pathway, host in clones
        ]
        if more:
            items += [clone.item() for clone in more]
        text += f',"PATHWAY-CLONES":[{",".join(items)}]'
    return f"{text}}}".encode("ascii")


def _check(clones: Sequence[PathwayClone]) -> None:
    """Raises ValueError for a clone that players refuse."""
    ids = [clone.id for clone in clones]
    if len(set(ids)) != len(ids):
        raise ValueError(f"a clone twice: {ids}")
    for base, pathway, host in clones:
        if base == pathway or not (_PATHWAY.fullmatch(base) and _PATHWAY.fullmatch(pathway)):
            raise ValueError(f"not a clone: {pathway!r} of {base!r}")
        if not _HOST.fullmatch(host):
            raise ValueError(f"not a host without a port: {host!r}")
