"""What of a manifest is not for the eyes of whoever reads a terminal or its log?

Signatures of edge URLs, with which anybody could play for a while, and what a viewer is admitted
on. What signs is followed while the manifest is made, so whatever a scheme writes is found.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.signed_root import REDACTED, redacted
from gateway.edge.signing import Carrier, EdgeSigner, SignedCookie, Validity
from gateway.steering.query import GRANT

_ADMISSION = re.compile(rf"\b{GRANT}=[\w.~-]+")
_DATA = re.compile(r"data:[^\",\s]*;base64,[\w+/=%-]+")


@dataclass(frozen=True, slots=True)
class _Followed:
    """Signs as ``signer`` does, and notes what it signs."""

    signer: EdgeSigner
    found: dict[str, str]

    @property
    def scheme(self) -> str:
        return self.signer.scheme

    @property
    def key_id(self) -> str:
        return self.signer.key_id

    @property
    def carrier(self) -> Carrier:
        return self.signer.carrier

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        signed = self.signer.signed_base(edge_url, folder, validity)
        self.found[signed] = redacted(signed, f"{edge_url}{folder}")
        return signed

    def cookies(self, edge_url: str, folder: str, validity: Validity) -> tuple[SignedCookie, ...]:
        return self.signer.cookies(edge_url, folder, validity)

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:
        return self.signer.refusal(url, cookies, now_s)


@dataclass(slots=True)
class Redaction:
    """``found`` has what was signed, and what is shown instead."""

    found: dict[str, str] = field(default_factory=dict, repr=False)

    def following(self, fleet: Fleet) -> Fleet:
        """The same fleet, whose signatures are noted."""
        conditions = {
            edge.id: condition
            for edge, condition in zip(fleet.edges, fleet.conditions, strict=True)
        }
        edges = [self._followed(edge) for edge in fleet.edges]
        return Fleet.of(edges, conditions, overrides=fleet.overrides)

    def _followed(self, edge: Edge) -> Edge:
        if edge.signing is None:
            return edge
        signer = _Followed(edge.signing.signer, self.found)
        return replace(edge, signing=replace(edge.signing, signer=signer))

    def redacted(self, text: str) -> str:
        """The text without the signatures that were noted, and without admissions."""
        for signed, shown in self.found.items():
            text = text.replace(signed, shown).replace(escape(signed), escape(shown))
        text = _ADMISSION.sub(f"{GRANT}={REDACTED}", text)
        return _DATA.sub(self._inline, text)

    def _inline(self, found: re.Match[str]) -> str:
        """An inline steering manifest, or its place when it has something to hide."""
        try:
            inner = b64decode(found[0].partition(",")[2]).decode("utf-8", "replace")
        except (Error, ValueError):
            return found[0]
        return found[0] if self.redacted(inner) == inner else f"data:,{REDACTED}"
