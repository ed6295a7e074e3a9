"""Source playlists for tables: an entry a line of Python, and what a fit made of them."""

from collections.abc import Iterable

from gateway.ladder.fit import fit
from gateway.ladder.rung import Constraints
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import rungs_of
from manifests.hls.multivariant import MultivariantPlaylist, parse, write

AVC, HEVC, AAC = "avc1.64001f,mp4a.40.2", "hvc1.2.4.L123.B0,mp4a.40.2", "mp4a.40.2"


def variant(uri: str, kbps: int, size: str = "", codecs: str = AVC, more: str = "") -> str:
    """An EXT-X-STREAM-INF and its URI; ``size`` as in ``640x360``, ``more`` further attributes."""
    return _entry("#EXT-X-STREAM-INF:", kbps, size, codecs, more) + f"\n{uri}"


def iframes(uri: str, kbps: int, size: str = "", codecs: str = AVC, more: str = "") -> str:
    """An EXT-X-I-FRAME-STREAM-INF."""
    more = ",".join(filter(None, [more, f'URI="{uri}"']))
    return _entry("#EXT-X-I-FRAME-STREAM-INF:", kbps, size, codecs.partition(",")[0], more)


def media(kind: str, group: str, name: str = "n") -> str:
    """An EXT-X-MEDIA with a URI where its type has one."""
    uri = "" if kind == "CLOSED-CAPTIONS" else f',URI="{group}-{name}.m3u8"'
    return f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="{name}"{uri}'


def _entry(tag: str, kbps: int, size: str, codecs: str, more: str) -> str:
    attributes = [
        f"BANDWIDTH={kbps * 1000}",
        f"RESOLUTION={size}" if size else "",
        f'CODECS="{codecs}"' if codecs else "",
        more,
    ]
    return tag + ",".join(filter(None, attributes))


def playlist(*entries: str) -> MultivariantPlaylist:
    """A playlist of these entries, in this order."""
    return parse("\n".join(["#EXTM3U", *entries, ""]).encode())


def fitted(source: MultivariantPlaylist, limits: Constraints) -> tuple[bytes, list[str]]:
    """The playlist that a client gets, and the codes of the reasons."""
    home = source.steering.pathway if source.steering else None
    found = fit(rungs_of(source), limits, home)
    edit = edit_of(source, found.kept, limits)
    return write(source, edit, str), [reason.code for reason in found.reasons]


def uris(entries: Iterable[str], limits: Constraints) -> tuple[str, list[str]]:
    """The URIs of the variants that stay, in order and joined by a space, and the reasons."""
    data, codes = fitted(playlist(*entries), limits)
    return " ".join(entry.uri for entry in parse(data).variants), codes
