"""Where does an asset's own manifest come from, before anything is decided?"""

from dataclasses import dataclass
from typing import Protocol

from manifests.hls.multivariant import MultivariantPlaylist


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """An asset's multivariant playlist as its packager wrote it.

    ``path`` is where it lies below the source's root, with ``/`` between its parts: relative URIs
    resolve against it. ``version`` changes when the bytes do. ``base_url`` is the origin's URL
    that absolute URIs are moved from; None where there is no such URL. ``bandwidths`` are the peaks
    of its ladder in bit/s, ascending, worked out once for all requests.
    """

    path: str
    playlist: MultivariantPlaylist
    version: str
    bandwidths: tuple[int, ...]
    base_url: str | None = None


class NoSuchAssetError(LookupError):
    """The source has no such asset (404)."""


class BadSourceError(ValueError):
    """The source has the asset, but it cannot be played as it is (502). The message names the
    file, the line and the rule."""


class Source(Protocol):
    """Loads source manifests. Safe to call concurrently."""

    async def load(self, asset: str) -> SourceManifest:
        """The manifest of ``asset``, a valid asset id.

        Raises :class:`NoSuchAssetError` and :class:`BadSourceError`.
        """
        ...

    async def purge(self, asset: str) -> None:
        """Forget what is known of ``asset``: its next manifest comes from the source. Never
        raises."""
        ...

    async def purge_prefix(self, prefix: str) -> None:
        """Forget what is known of all assets whose ids begin with ``prefix``. Never raises."""
        ...

    async def doubt(self) -> None:
        """A purge may have been missed: check with the source before anything known is used again.
        Where the source does not answer, what is known still stands in. Never raises."""
        ...

    def ready(self) -> str | None:
        """None when assets can be loaded, else what is wrong, in a sentence."""
        ...

    async def watch(self) -> None:
        """Follow changes until cancelled."""
        ...
