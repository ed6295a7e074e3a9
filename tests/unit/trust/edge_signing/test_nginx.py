"""Signatures that nginx checks by itself. ``tests/integration/test_edge_signing_nginx.py`` asks a
real one."""

from base64 import urlsafe_b64encode
from hashlib import md5

import pytest

from gateway.edge.signing import Validity
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey

SECRET = "0123456789abcdef0123456789abcdef"
SIGNER = NginxSigner(SecretKey("2026-11", SECRET.encode()))
EXPIRES_S = 1_800_000_000
VALIDITY = Validity(0, EXPIRES_S)


@pytest.mark.parametrize(
    ("edge_url", "folder", "hashed"),
    [
        ("https://e.example/", "", "/"),
        ("https://e.example/videos/", "show/s1/", "/videos/show/s1/"),
        ("https://e.example/my%20videos/", "~a~/", "/my videos/~a~/"),
        ("https://e.example/%C3%A9t%c3%a9/", "a/", "/été/a/"),
    ],
)
def test_the_documented_formula(edge_url: str, folder: str, hashed: str) -> None:
    """``secure_link_md5 "$expires$folder secret"``, over the decoded path. nginx documents the
    formula and no vectors, so the expected hash is made here with hashlib."""
    text = f"{EXPIRES_S}{hashed} {SECRET}".encode()
    mac = urlsafe_b64encode(md5(text, usedforsecurity=False).digest()).decode().rstrip("=")
    base = SIGNER.signed_base(edge_url, folder, VALIDITY)
    assert f"{edge_url}{folder}~{EXPIRES_S}~{mac}/" == base
    assert SIGNER.refusal(f"{base}720p/1.ts", {}, EXPIRES_S) is None
    assert () == SIGNER.cookies(edge_url, folder, VALIDITY)


BASE = SIGNER.signed_base("https://e.example/v/", "a/", VALIDITY)


@pytest.mark.parametrize(
    ("url", "now_s", "why"),
    [
        ("https://e.example/v/a/1.ts", 0, "has no signature"),
        (BASE.removesuffix("/"), 0, "has no signature"),
        (BASE, EXPIRES_S + 1, "has expired"),
        (BASE.replace("/v/a/", "/v/b/"), 0, "has a signature that does not match"),
        (BASE.replace("~18", "~19"), 0, "has a signature that does not match"),
    ],
)
def test_what_is_refused(url: str, now_s: int, why: str) -> None:
    """No signature, one for another folder or time, one whose time is over."""
    assert why == SIGNER.refusal(url, {}, now_s)


def test_who_signs() -> None:
    """The id of the key is known; its secret is not shown."""
    assert ("nginx", "2026-11", "path") == (SIGNER.scheme, SIGNER.key_id, SIGNER.carrier)
    assert SECRET not in repr(SIGNER)
