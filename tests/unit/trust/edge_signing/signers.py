"""A signer of each scheme, in each place where it can put a signature."""

from collections.abc import Mapping
from functools import cache

from gateway.edge.signing import EdgeSigner, Validity
from gateway.trust.edge_signing.akamai import AkamaiSigner
from gateway.trust.edge_signing.bunny import BunnySigner
from gateway.trust.edge_signing.cat import CatSigner
from gateway.trust.edge_signing.cloudfront import CloudFrontSigner
from gateway.trust.edge_signing.media_cdn import MediaCdnSigner
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey
from gateway.trust.edge_signing.template import FASTLY_MESSAGE, FASTLY_PATH, TemplateSigner
from tests.unit.trust.edge_signing.keys import ed25519_pem, rsa_pem

SHARED = SecretKey("key-1", b"0123456789abcdef0123456789abcdef")
OTHER = SecretKey("key-1", b"0123456789abcdef0123456789abcdeF")


@cache
def signers(*, other_key: bool = False, again: bool = False) -> Mapping[str, EdgeSigner]:
    """By name. ``other_key``: the same, with other secrets under the same ids. ``again``: equal
    ones, made anew."""
    key = OTHER if other_key else SHARED
    ed25519 = SecretKey("key-1", ed25519_pem(b"\2" * 32 if other_key else b"\1" * 32))
    rsa = SecretKey("KEY1", rsa_pem(other=other_key))
    return {
        "nginx": NginxSigner(key),
        "template": TemplateSigner(key),
        "template, prefix last": TemplateSigner(key, path="/s/{expires}/{mac}{prefix}"),
        "template, all fields": TemplateSigner(
            key, "{prefix}~/{key}.{starts}.{expires}.{mac}/", "{host}{key}{starts}{expires}{prefix}"
        ),
        "fastly": TemplateSigner(key, FASTLY_PATH, FASTLY_MESSAGE, "sha1", scheme="fastly"),
        "akamai": AkamaiSigner(key),
        "akamai, cookie": AkamaiSigner(key, salt="salt", data="d", cookie_domain="example"),
        "cloudfront": CloudFrontSigner(rsa, "example"),
        "cloudfront, sha1": CloudFrontSigner(rsa, "example", "sha1"),
        "media-cdn": MediaCdnSigner(ed25519),
        "media-cdn, cookie": MediaCdnSigner(ed25519, "example"),
        "bunny": BunnySigner(key),
        "cat": CatSigner(key, "issuer"),
        "cat, cookie": CatSigner(key, cookie_domain="example"),
    }


def signed(
    signer: EdgeSigner, edge_url: str, folder: str, validity: Validity
) -> tuple[str, dict[str, str]]:
    """The base, and the cookies by name."""
    cookies = signer.cookies(edge_url, folder, validity)
    return signer.signed_base(edge_url, folder, validity), {one.name: one.value for one in cookies}
