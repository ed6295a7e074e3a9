"""Builds the signers of edges from their settings."""

from hashlib import blake2b

from gateway.config.signing_settings import EdgeKeySettings, EdgeSigningSettings
from gateway.edge.signing import EdgeSigning
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey


def signing_of(given: EdgeSigningSettings) -> EdgeSigning:
    """The signing of one table."""
    key = next(key for key in given.keys if key.status == "active")
    return EdgeSigning(
        id=_id(given, key),
        signer=NginxSigner(SecretKey(key.id, key.secret_text)),
        lifetime_s=given.lifetime_s,
        step_s=given.step_s,
        covers=given.covers,
        segments=given.segments or 0,
    )


def _id(given: EdgeSigningSettings, key: EdgeKeySettings) -> str:
    text = f"{given.model_dump(exclude={'keys'})!r}\0{key.id}\0{key.secret_text}"
    return blake2b(text.encode(), digest_size=16).hexdigest()
