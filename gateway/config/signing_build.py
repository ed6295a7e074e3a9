"""Builds the signers of edges from their settings."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Final

from gateway.config.signing_settings import EdgeKeySettings, EdgeSigningSettings, Scheme
from gateway.edge.signing import EdgeSigner, EdgeSigning
from gateway.trust.edge_signing import akamai, template
from gateway.trust.edge_signing.akamai import AkamaiSigner
from gateway.trust.edge_signing.bunny import BunnySigner
from gateway.trust.edge_signing.cat import CatSigner
from gateway.trust.edge_signing.cloudfront import CloudFrontSigner
from gateway.trust.edge_signing.media_cdn import MediaCdnSigner
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey, key_in_base64, key_in_hex
from gateway.trust.edge_signing.template import TemplateSigner

USUAL_SKEW_S: Final = 60


def signing_of(given: EdgeSigningSettings) -> EdgeSigning:
    """The signing of one table. Raises SchemeError when its keys or templates cannot sign."""
    key = next(key for key in given.keys if key.status == "active")
    skew_s = USUAL_SKEW_S if given.skew_s is None else given.skew_s
    return EdgeSigning(
        id=_id(given, key),
        signer=_signer(given, key),
        lifetime_s=given.lifetime_s,
        step_s=given.step_s,
        skew_s=skew_s if given.has_start else 0,
        covers=given.covers,
        segments=given.segments or 0,
    )


def signers_of(given: EdgeSigningSettings) -> Iterator[EdgeSigner]:
    """A signer for each key of the table, in its order. Raises SchemeError."""
    for key in given.keys:
        yield _signer(given, key)


def _signer(given: EdgeSigningSettings, key: EdgeKeySettings) -> EdgeSigner:
    return _SIGNERS[given.scheme](given, key)


def _plain(key: EdgeKeySettings) -> SecretKey:
    return SecretKey(key.id, key.secret_text.encode())


def _template(given: EdgeSigningSettings, key: EdgeKeySettings) -> EdgeSigner:
    return TemplateSigner(
        _plain(key),
        given.path or template.DEFAULT_PATH,
        given.message or template.DEFAULT_MESSAGE,
        given.algorithm,
        given.encoding,
    )


def _fastly(given: EdgeSigningSettings, key: EdgeKeySettings) -> EdgeSigner:
    return TemplateSigner(
        key_in_base64(key.id, key.secret_text),
        template.FASTLY_PATH,
        template.FASTLY_MESSAGE,
        given.algorithm,
        scheme="fastly",
    )


def _akamai(given: EdgeSigningSettings, key: EdgeKeySettings) -> EdgeSigner:
    return AkamaiSigner(
        key_in_hex(key.id, key.secret_text),
        token_name=given.token_name or akamai.TOKEN_NAME,
        salt="" if given.salt is None else given.salt.get_secret_value(),
        data=given.data or "",
        cookie_domain=given.cookie_domain,
    )


def _cat(given: EdgeSigningSettings, key: EdgeKeySettings) -> EdgeSigner:
    return CatSigner(
        key_in_hex(key.id, key.secret_text),
        issuer=given.issuer or "",
        cookie_domain=given.cookie_domain,
        token_name=given.token_name or "",
    )


_SIGNERS: Final[Mapping[Scheme, Callable[[EdgeSigningSettings, EdgeKeySettings], EdgeSigner]]] = {
    "template": _template,
    "fastly": _fastly,
    "nginx": lambda _, key: NginxSigner(_plain(key)),
    "akamai": _akamai,
    "cloudfront": lambda given, key: CloudFrontSigner(
        _plain(key), given.cookie_domain or "", given.algorithm
    ),
    "media-cdn": lambda given, key: MediaCdnSigner(_plain(key), given.cookie_domain),
    "bunny": lambda _, key: BunnySigner(_plain(key)),
    "cat": _cat,
}


def _id(given: EdgeSigningSettings, key: EdgeKeySettings) -> str:
    salt = "" if given.salt is None else given.salt.get_secret_value()
    text = f"{given.model_dump(exclude={'keys', 'salt'})!r}\0{key.id}\0{key.secret_text}\0{salt}"
    return blake2b(text.encode(), digest_size=16).hexdigest()
