"""At which URLs are the files of one title on an edge that signs its URLs?

What writes manifests calls a :class:`SignedRoot` for each file outside of the manifest's folder,
and once for that folder. All URLs of one root are signed in the same step.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from gateway.edge.edge import Edge
from gateway.edge.signing import EdgeSigning

_SENT_AS_IS: Final = "%!$&'()*+,/:;=@[]|\\~"
"""What browsers do not encode in a path, besides letters, digits and ``-._`` (URL Standard)."""


REDACTED: Final = "REDACTED"
"""Takes the place of a signature that is not shown."""


def redacted(signed: str, unsigned: str) -> str:
    """The base ``signed`` with ``REDACTED`` in place of its signature. ``unsigned`` is the same
    without one: the signature is from the first segment that it does not have to the last one."""
    known, parts = frozenset(unsigned.split("/")), signed.split("/")
    strange = [at for at, part in enumerate(parts) if part not in known]
    if not strange:
        return signed
    return "/".join([*parts[: strange[0]], REDACTED, *parts[strange[-1] + 1 :]])


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """Gives the URL of a file by its path, which is relative to ``edge_url`` and may have a query
    (:data:`manifests.rebase.Place`).

    ``folder`` is signed for what lies in it, anything else for its own folder. ``at_s`` is the
    beginning of the step that signs. Equal roots give equal URLs. ``shows``: the signatures are
    there, not ``REDACTED``.
    """

    edge_url: str
    signing: EdgeSigning
    folder: str
    at_s: int
    shows: bool = True
    _bases: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, path: str) -> str:
        """The URL of a file, or of a folder, whose path ends with ``/``."""
        folder = self.covering(path)
        return f"{self._base(folder)}{path[len(folder) :]}"

    def covering(self, path: str) -> str:
        """The folder whose signature the URL of ``path`` has: ``""``, or ending with ``/``."""
        if path.startswith(self.folder):
            return self.folder
        return self.signing.folder_of(path)

    def _base(self, folder: str) -> str:
        known = self._bases.get(folder)
        if known is None:
            sent = quote(folder, safe=_SENT_AS_IS)
            known = self.signing.signed_base(self.edge_url, sent, self.at_s)
            if not self.shows:
                known = redacted(known, f"{self.edge_url}{sent}")
            self._bases[folder] = known
        return known


def signed_root(edge: Edge, path: str, now_s: float, *, shows: bool = True) -> SignedRoot | None:
    """The root of the title whose manifest is at ``path``, signed at ``now_s`` (Unix time); None
    for an edge whose URLs have no signature."""
    signing = edge.url_signing
    if signing is None:
        return None
    at_s = int(now_s) // signing.step_s * signing.step_s
    return SignedRoot(edge.url, signing, signing.folder_of(path), at_s, shows)
