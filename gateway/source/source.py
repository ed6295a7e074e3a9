"""Where does an asset's own manifest come from, before anything is decided?"""

from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.reason import Reason, Step
from manifests.hls.multivariant import MultivariantPlaylist


@dataclass(frozen=True, slots=True)
class SourceState:
    """How fresh a manifest is that was fetched from ``origin``.

    ``revalidated``: the origin has confirmed it. ``age_s`` is how long ago it was made, as far as
    the origin tells; ``left_s`` is how long it stays fresh, negative once it is stale. ``why`` is
    how the origin failed when it was last asked; None when it did not.
    """

    origin: str
    status: Literal["fresh", "revalidated", "stale"]
    age_s: float
    left_s: float
    why: str | None = None

    def reason(self) -> Reason:
        """The same, for people."""
        text = f"from {self.origin}, {self.age_s:.0f} s old"
        if self.status == "stale":
            text += f", stale for {-self.left_s:.0f} s"
            text += f"; {self.why}" if self.why else "; the origin is being asked"
        else:
            text += f", fresh for {self.left_s:.0f} s more"
            text += "; the origin has confirmed it" if self.status == "revalidated" else ""
        return Reason(Step.SOURCE, f"origin-{self.status}", text)


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """An asset's multivariant playlist as its packager wrote it.

    ``path`` is where it lies below the source's root, with ``/`` between its parts: relative URIs
    resolve against it. ``version`` changes when the bytes do. ``bandwidths`` are the peaks of its
    ladder in bit/s, ascending, worked out once for all requests. ``base_urls`` are the origins'
    URLs that absolute URIs are moved from, the one that it came from first; none where it came from
    no URL. ``state`` is how fresh it is, None where that means nothing.
    """

    path: str
    playlist: MultivariantPlaylist
    version: str
    bandwidths: tuple[int, ...]
    base_urls: tuple[str, ...] = ()
    state: SourceState | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Where it came from, and how fresh it is."""
        return () if self.state is None else (self.state.reason(),)


class NoSuchAssetError(LookupError):
    """The source has no such asset (404)."""


class BadSourceError(ValueError):
    """The source has the asset, but it cannot be played as it is (502). The message names the
    file, the line and the rule."""


class OriginError(BadSourceError):
    """The origin answered, but not with a manifest (502)."""


class OriginTimeoutError(OriginError):
    """No origin answered in time, or at all (504)."""


class Source(Protocol):
    """Loads source manifests. Safe to call concurrently."""

    async def load(self, asset: str) -> SourceManifest:
        """The manifest of ``asset``, a valid asset id.

        Raises :class:`NoSuchAssetError` and :class:`BadSourceError`, of which
        :class:`OriginError` and :class:`OriginTimeoutError` are kinds.
        """
        ...

    def current(self, asset: str) -> str | None:
        """The version of the manifest that ``load`` would give at once, without asking anybody;
        None when it is not known, or may have changed."""
        ...

    async def purge(self, asset: str) -> None:
        """Forget what is known of ``asset``: its next manifest comes from the source. Never
        raises."""
        ...

    async def purge_prefix(self, prefix: str) -> None:
        """Forget what is known of all assets whose ids begin with ``prefix``. Never raises."""
        ...

    async def revalidate_all(self) -> None:
        """A purge may have been missed: check with the source before anything known is used again.
        Where the source does not answer, what is known still stands in. Never raises."""
        ...

    def ready(self) -> str | None:
        """None when assets can be loaded, else what is wrong, in a sentence."""
        ...

    def degraded(self) -> str | None:
        """What is wrong though assets can be loaded, in a sentence; None when nothing is."""
        ...

    async def watch(self) -> None:
        """Follow changes until cancelled."""
        ...

    async def close(self) -> None:
        """Let go of everything; nothing may be loaded afterwards."""
        ...
