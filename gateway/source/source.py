"""Where does an asset's source manifest come from?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from gateway.ladder.rung import Ladder
from gateway.reason import Reason, Step
from gateway.source.faults import SourceFaults


@dataclass(frozen=True, slots=True)
class SourceState:
    """The freshness of a manifest fetched from ``origin``.

    ``revalidated``: the origin has confirmed it. ``age_s`` is its age by the origin's headers;
    ``left_s`` is how long it stays fresh, negative once it is stale. ``why`` is how the last
    request to the origin failed; None when it did not.
    """

    origin: str
    status: Literal["fresh", "revalidated", "stale"]
    age_s: float
    left_s: float
    why: str | None = None

    def reason(self) -> Reason:
        """The freshness as a reason, for people."""
        text = f"from {self.origin}, {self.age_s:.0f} s old"
        if self.status == "stale":
            text += f", stale for {-self.left_s:.0f} s"
            text += f"; {self.why}" if self.why else "; the origin is being asked"
        else:
            text += f", fresh for {self.left_s:.0f} s more"
            text += "; the origin has confirmed it" if self.status == "revalidated" else ""
        return Reason(Step.SOURCE, f"origin-{self.status}", text)


class ParsedManifest(Protocol):
    """A parsed manifest of any format; see ``gateway/play/hls``."""

    @property
    def ladder(self) -> Ladder:
        """Its rungs."""
        ...

    @property
    def weight(self) -> int:
        """What it costs to write, as a number of bytes of text."""
        ...

    @property
    def faults(self) -> Sequence[object]:
        """Faults that players tolerate; ``str`` gives each as a sentence."""
        ...


ReadManifest = Callable[[bytes, str, int], ParsedManifest]
"""Parses a manifest: its bytes, a name for messages, the most bytes allowed. Raises
:class:`BadSourceError`. The composition root passes it to the sources."""


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class SourceManifest:
    """An asset's manifest as its packager wrote it.

    ``path`` is its place below the source's root, with ``/`` between its parts: relative URIs
    resolve against it. ``base_urls`` are the origins' URLs that absolute URIs may start with, its
    own origin's first; empty for a source without URLs. ``state`` is its freshness, None for a
    source that has none.
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
        """The origin and freshness, as reasons."""
        return () if self.state is None else (self.state.reason(),)


class NoSuchAssetError(LookupError):
    """The source has no such asset (404)."""


class BadSourceError(ValueError):
    """The source has the asset, but it cannot be played (502).

    The message, which is for operators, names the file or URL, the line and the rule. ``fault`` is
    what players read: it names no URL. ``kind`` is one of a fixed set, fit for a metric label.
    ``line`` counts from 1; ``rule`` is a clause in words; None where there is none. ``may_pass``:
    the file itself may be good.
    """

    may_pass = False

    def __init__(
        self,
        message: str,
        fault: str | None = None,
        *,
        kind: str,
        line: int | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(message)
        self.fault = message if fault is None else fault
        self.kind = kind
        self.line = line
        self.rule = rule

    def again(self) -> Self:
        """The same error to be raised again, without the frames in which it was raised before."""
        return type(self)(str(self), self.fault, kind=self.kind, line=self.line, rule=self.rule)


class SourceLostError(BadSourceError):
    """The source as a whole cannot be read, so nobody knows whether it has the asset (503)."""


class OriginError(BadSourceError):
    """The origin responded, but not with a manifest (502)."""

    may_pass = True


class OriginTimeoutError(OriginError):
    """No origin responded in time, or at all (504)."""


class Source(Protocol):
    """Loads source manifests; safe to use concurrently. ``faults`` are those that cannot be
    served."""

    @property
    def faults(self) -> SourceFaults:
        """What cannot be served now."""
        ...

    async def load(self, asset: str, client: str = "") -> SourceManifest:
        """The manifest of ``asset``, a valid asset id. ``client`` is the network of the player that
        asks, empty when it is not known: no client may use up what others need.

        Raises :class:`NoSuchAssetError`, :class:`BadSourceError` and its subclasses
        :class:`SourceLostError`, :class:`OriginError` and :class:`OriginTimeoutError`.
        """
        ...

    async def purge(self, asset: str) -> None:
        """Forget ``asset``: the next load comes from the source. Never raises."""
        ...

    async def purge_prefix(self, prefix: str) -> None:
        """Forget all assets whose ids begin with ``prefix``. Never raises."""
        ...

    async def revalidate_all(self) -> None:
        """Revalidate every manifest before it is used again, as a purge may have been missed. Where
        the source does not respond, the known manifest is still used. Never raises."""
        ...

    def ready(self) -> str | None:
        """None when assets can be loaded, else the problem in a sentence."""
        ...

    def degraded(self) -> str | None:
        """A problem that does not stop assets from loading, in a sentence, else None."""
        ...

    async def watch(self) -> None:
        """Follow changes until cancelled."""
        ...

    async def close(self) -> None:
        """Release everything; nothing may be loaded afterwards."""
        ...
