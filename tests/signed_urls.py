"""An edge that signs its URLs, for tests of what is written: nginx's scheme, in whose URLs the
signature is easy to take out again."""

import re

from gateway.edge.edge import Edge
from gateway.edge.signed_root import SignedRoot, signed_root
from gateway.edge.signing import Covers, EdgeSigning
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey

NOW_S = 1_800_000_000
SIGNATURE = re.compile(r"~[0-9]+~[\w-]{22}/")


def signing(
    letter: str = "a",
    *,
    lifetime_s: int = 600,
    step_s: int = 60,
    covers: Covers = "asset",
) -> EdgeSigning:
    """The signing of an edge, with a secret of this letter."""
    signer = NginxSigner(SecretKey("k", letter.encode() * 40))
    return EdgeSigning(f"{letter} {step_s}", signer, lifetime_s, step_s, covers=covers)


def root_of(url: str, path: str, found: EdgeSigning) -> SignedRoot:
    """Where the title whose manifest is at ``path`` lies on an edge that signs."""
    root = signed_root(Edge("e", url, signing=found), path, NOW_S)
    assert root is not None
    return root


def without_signature(url: str) -> str:
    """A URL as it would be without signing."""
    return SIGNATURE.sub("", url)


def refused(url: str, found: EdgeSigning) -> str | None:
    """Why the edge would not serve a URL; None when it would."""
    return found.signer.refusal(url, {}, NOW_S)
