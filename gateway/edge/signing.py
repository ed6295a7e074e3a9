"""Which URLs of an edge are signed, what does a signature cover, and how long is it good for?

An edge that checks signatures serves no URL without one. Segments and keys are named by media
playlists, which never pass the gateway, and neither a relative URI nor a DASH template inherits a
query. So a signature is put where every URL below the signed folder inherits it: into the path, or
into a cookie.

Signatures begin and end on fixed steps. All viewers who ask within one step get the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Covers = Literal["asset", "edge", "segments"]
"""What one signature covers: the folder of the manifest, everything below the edge's url, or a
number of path segments below it."""
Carrier = Literal["path", "cookie"]
"""Where a signature is put so that the URLs in media playlists inherit it."""


@dataclass(frozen=True, slots=True)
class SignedCookie:
    """A cookie for the edge. ``domain`` is the parent domain that gateway and edge share. ``path``
    starts and ends with ``/``, and is percent-encoded as in the edge's URLs."""

    name: str
    value: str = field(repr=False)
    domain: str
    path: str


@dataclass(frozen=True, slots=True)
class Validity:
    """When a signature is good, in Unix seconds: from ``starts_s`` on, before ``expires_s``."""

    starts_s: int
    expires_s: int


class EdgeSigner(Protocol):
    """Signs for one edge by one vendor's scheme. Equal input gives equal output, in every process.
    ``edge_url`` is absolute and ends with ``/``; ``folder`` is relative to it, ``""`` or ending
    with ``/``."""

    @property
    def scheme(self) -> str:
        """The name of the scheme in the configuration."""

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""

    @property
    def carrier(self) -> Carrier:
        """Where the signature is put."""

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """The URL that takes the place of ``edge_url`` + ``folder`` in what players get. It ends
        with ``/``, and its signature covers every URL below it. Without a signature where the
        scheme uses cookies."""

    def cookies(self, edge_url: str, folder: str, validity: Validity) -> tuple[SignedCookie, ...]:
        """The cookies that cover every URL below ``edge_url`` + ``folder``; none where the path has
        the signature."""

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:
        """Why an edge would refuse the request for ``url``, judged as the edge does; None when it
        would serve it. ``cookies`` are those of the request, by name."""


@dataclass(frozen=True, slots=True)
class EdgeSigning:
    """How the URLs of an edge are signed.

    ``id`` names everything that a signature depends on besides URL and time. Equal ids sign
    equally, so it can stand for all of this in the key of a cache. It never leaves the process.

    A signature lives for at least ``lifetime_s``, and less than ``lifetime_s`` + ``step_s``.
    Where the scheme has a start, it is backdated by ``skew_s`` for edges whose clocks are behind.
    ``segments`` counts only where ``covers`` is ``segments``.
    """

    id: str = field(repr=False)
    signer: EdgeSigner = field(compare=False)
    lifetime_s: int = field(compare=False)
    step_s: int = field(compare=False)
    skew_s: int = field(default=0, compare=False)
    covers: Covers = field(default="asset", compare=False)
    segments: int = field(default=0, compare=False)

    def validity(self, now_s: float) -> Validity:
        """What is signed at ``now_s`` (Unix time): the same for all times within one step."""
        step = int(now_s) // self.step_s
        starts_s = step * self.step_s
        return Validity(starts_s - self.skew_s, starts_s + self.step_s + self.lifetime_s)

    def unchanged_s(self, now_s: float) -> int:
        """For how many whole seconds after ``now_s`` (Unix time) signatures stay the same."""
        return self.step_s - 1 - int(now_s) % self.step_s

    def folder_of(self, path: str) -> str:
        """The folder whose signature covers the file at ``path``, which is relative to the edge's
        url and may have a query: ``""`` or ending with ``/``.

        Called with the path of a manifest, it gives the folder that is signed for it. A file
        outside of this folder needs a signature for its own.
        """
        folder = path.partition("?")[0].partition("#")[0].rpartition("/")[0]
        if self.covers == "edge" or not folder:
            return ""
        if self.covers == "segments":
            folder = "/".join(folder.split("/")[: self.segments])
        return f"{folder}/"

    def signed_base(self, edge_url: str, folder: str, now_s: float) -> str:
        """:meth:`EdgeSigner.signed_base` at ``now_s`` (Unix time)."""
        return self.signer.signed_base(edge_url, folder, self.validity(now_s))

    def cookies(self, edge_url: str, folder: str, now_s: float) -> tuple[SignedCookie, ...]:
        """:meth:`EdgeSigner.cookies` at ``now_s`` (Unix time)."""
        return self.signer.cookies(edge_url, folder, self.validity(now_s))

    def signed_url(self, edge_url: str, path: str, now_s: float) -> str:
        """The URL of the one file at ``path``, relative to ``edge_url``, signed for its folder."""
        folder = self.folder_of(path)
        return self.signed_base(edge_url, folder, now_s) + path.removeprefix(folder)
