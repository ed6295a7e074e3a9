"""Finished manifests with their entity tags and content codings, each computed once."""

from hashlib import blake2b

from gateway.config.schema import Settings
from gateway.play.compression import compress

_OVERHEAD = 1_000
_GROWTH = 2
"""URIs on an edge are longer than relative ones."""


def max_answer_bytes(settings: Settings) -> int:
    """The largest answer, without any content coding: what goes out is bounded as what comes in."""
    return _GROWTH * settings.limits.max_playlist_bytes


class Body:
    """One finished manifest, in every content coding requested so far."""

    __slots__ = ("_coded", "_digest")

    def __init__(self, data: bytes) -> None:
        """``data`` is the manifest without any content coding."""
        self._coded = {"identity": data}
        self._digest = blake2b(data, digest_size=12).hexdigest()

    @property
    def identity(self) -> bytes:
        """The manifest without any content coding."""
        return self._coded["identity"]

    def known(self, coding: str) -> bytes | None:
        """The bytes in ``coding``, None when they have to be computed."""
        return self._coded.get(coding)

    def coded(self, coding: str) -> bytes:
        """The bytes in ``coding``."""
        found = self._coded.get(coding)
        if found is None:
            found = self._coded[coding] = compress(self.identity, coding)
        return found

    def etag(self, coding: str) -> str:
        """A strong entity tag: it names the bytes in that coding (RFC 9110, 8.8.3.3)."""
        suffix = "" if coding == "identity" else f"-{coding}"
        return f'"{self._digest}{suffix}"'


def weight_of(body: Body) -> int:
    """The size of a body in a cache, in bytes: twice the manifest, as an upper bound for the
    manifest and its codings."""
    return 2 * len(body.identity) + _OVERHEAD


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison of ``If-None-Match`` with our tag (RFC 9110, 13.1.2)."""
    if if_none_match.strip() == "*":
        return True
    return any(part.strip().removeprefix("W/") == etag for part in if_none_match.split(","))
