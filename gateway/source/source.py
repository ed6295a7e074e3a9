"""Where does an asset's source manifest come from?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple, Protocol, Self

from gateway.ladder.rung import Ladder
from gateway.reason import Reason, Step
from gateway.source.faults import SourceFaults
from manifests.fault import ManifestError
from manifests.format import ManifestFormat


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


class LiveState(NamedTuple):
    """What a live manifest says of its updates: ``published_s`` is when this version was made (Unix
    seconds; None when it does not say), ``update_s`` after how many seconds players ask again."""

    published_s: float | None
    update_s: float


class ParsedManifest(Protocol):
    """A parsed manifest of any format; see ``gateway/play/hls`` and ``gateway/play/dash``."""

    @property
    def format(self) -> ManifestFormat:
        """Its format."""
        ...

    @property
    def ladder(self) -> Ladder:
        """Its rungs."""
        ...

    @property
    def version(self) -> str:
        """Changes when its bytes do."""
        ...

    @property
    def weight(self) -> int:
        """What it costs to write, as a number of bytes of text."""
        ...

    @property
    def faults(self) -> Sequence[object]:
        """Faults that players tolerate; ``str`` gives each as a sentence."""
        ...

    @property
    def live(self) -> LiveState | None:
        """How it is updated; None when it does not say."""
        ...

    @property
    def update_s(self) -> float | None:
        """After how many seconds players may ask again; None when they do not."""
        ...


ReadManifest = Callable[[bytes, str, int], ParsedManifest]
"""Parses a manifest: its bytes, a name for messages, the most bytes allowed. Raises
:class:`BadSourceError`."""


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How the manifests of one format are found and read. The composition root passes these to the
    sources.

    ``template`` is the path of an asset's manifest below the source's root, with ``{asset}`` in it.
    ``media_types`` are what a request accepts. ``is_manifest`` says of a body whether it is one at
    first sight, ``is_whole`` whether its end is the end of a manifest.
    """

    template: str
    read: ReadManifest
    media_types: str
    is_manifest: Callable[[bytes], bool]
    is_whole: Callable[[bytes], bool]

    def path_of(self, asset: str) -> str:
        """The path of an asset's manifest."""
        return self.template.replace("{asset}", asset)


class ManifestKey(NamedTuple):
    """A manifest: of which asset, and in which format."""

    asset: str
    format: ManifestFormat


SourceFormats = Mapping[ManifestFormat, SourceFormat]
"""The formats that a source has."""


def version_of(data: bytes) -> str:
    """The :attr:`ParsedManifest.version` of a manifest: a hash of its bytes."""
    return blake2b(data, digest_size=8).hexdigest()


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
        return self.manifest.version

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The origin and freshness, as reasons."""
        return () if self.state is None else (self.state.reason(),)


class NoSuchAssetError(LookupError):
    """The source has no such asset, or no manifest of this format for it (404). ``fault`` is what
    players read of it, None when there is nothing else to say."""

    def __init__(self, message: str, fault: str | None = None) -> None:
        super().__init__(message)
        self.fault = fault


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

    @classmethod
    def of(cls, error: ManifestError) -> Self:
        """Why a manifest cannot be served, from the error of its reader or writer."""
        return cls(str(error), kind=error.short_name, line=error.line, rule=error.clause)

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

    async def load(
        self, asset: str, client: str = "", wanted: ManifestFormat = ManifestFormat.HLS
    ) -> SourceManifest:
        """The manifest of ``asset``, a valid asset id, in the format ``wanted``. ``client`` is the
        network of the player that asks, empty when it is not known: no client may use up what
        others need.

        Raises :class:`NoSuchAssetError`, :class:`BadSourceError` and its subclasses
        :class:`SourceLostError`, :class:`OriginError` and :class:`OriginTimeoutError`.
        """
        ...

    async def has(self, asset: str, wanted: ManifestFormat) -> bool:
        """Whether the asset is known to have a manifest of a format. No origin is asked. Never
        raises."""
        ...

    async def purge(self, asset: str) -> None:
        """Forget ``asset`` in every format: the next load comes from the source. Never raises."""
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
