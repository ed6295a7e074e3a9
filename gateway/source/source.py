"""Where does an asset's own manifest come from, before anything is decided?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.ladder.rung import Ladder
from gateway.reason import Reason, Step


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


class ParsedManifest(Protocol):
    """A manifest that was read, whatever its format; see ``gateway/play/hls``."""

    @property
    def ladder(self) -> Ladder:
        """Its rungs."""
        ...

    @property
    def faults(self) -> Sequence[object]:
        """What is wrong with it though players cope; ``str`` gives each as a sentence."""
        ...


ReadManifest = Callable[[bytes, str, int], ParsedManifest]
"""Reads the bytes of a manifest: data, a name for messages, the most bytes allowed. Raises
:class:`BadSourceError`. The composition root passes it to the sources."""


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """An asset's manifest as its packager wrote it.

    ``path`` is where it lies below the source's root, with ``/`` between its parts: relative URIs
    resolve against it. ``base_urls`` are the origins' URLs that absolute URIs are moved from, the
    one that it came from first; none where it came from no URL. ``state`` is how fresh it is, None
    where that means nothing.
    """

    path: str
    manifest: ParsedManifest
    base_urls: tuple[str, ...] = ()
    state: SourceState | None = None

    @property
    def version(self) -> str:
        """Changes when the manifest's bytes do."""
        return self.manifest.ladder.version

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

    def degraded(self) -> str | None:
        """What is wrong though assets can be loaded, in a sentence; None when nothing is."""
        ...

    async def watch(self) -> None:
        """Follow changes until cancelled."""
        ...

    async def close(self) -> None:
        """Let go of everything; nothing may be loaded afterwards."""
        ...
