"""Renewed Common Access Tokens: when, until when, and what is in them."""

from ipaddress import ip_network
from typing import Any

import pytest
from cbor2 import CBORTag, loads
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.base64url import decoded
from gateway.trust.tokens.cat import ORIGIN, claims_of
from gateway.trust.tokens.key import KeyUse, TokenKey, public_key, secret_key
from gateway.trust.tokens.key_set import TokenKeys
from gateway.trust.tokens.protection import Protection
from gateway.trust.tokens.refusal import RefusalCode
from gateway.trust.tokens.renewal import (
    RenewalRules,
    RenewalTerms,
    private_renewal_key,
    secret_renewal_key,
    terms_of,
)
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.verified import VerifiedToken
from gateway.trust.tokens.verifier import Verifier
from tests.unit.trust.tokens.making import (
    NOW_S,
    cat,
    granted,
    jwt,
    refused,
    token_key,
    verifier,
)

NOW = int(NOW_S)
CTI = b"\x0b\x71"
HEADER_120 = {0: 2, 1: 120, 2: 60, 4: "cta-common-access-token"}
"""The claim of Eyevinn's examples/generate.ts: type, expadd, deadline, header-name."""

TERMS: list[tuple[str, dict[int, Any], RenewalTerms | None]] = [
    ("iat", {6: NOW - 10, 7: CTI, 323: HEADER_120}, RenewalTerms(120, 60, NOW - 10)),
    ("no iat", {4: NOW + 50, 7: CTI, 323: HEADER_120}, RenewalTerms(120, 60, NOW + 50)),
    ("no deadline", {6: NOW, 7: CTI, 323: {0: 0, 1: 300}}, RenewalTerms(300, 60, NOW)),
    ("large", {6: NOW, 7: CTI, 323: {0: 0, 1: 2**60}}, RenewalTerms(2**32 - 1, 60, NOW)),
    ("no cti", {6: NOW, 323: HEADER_120}, None),
    ("no catr", {6: NOW, 7: CTI}, None),
]


@pytest.mark.parametrize(
    ("claims", "expected"), [row[1:] for row in TERMS], ids=[row[0] for row in TERMS]
)
def test_the_terms_of_a_token(claims: dict[int, Any], expected: RenewalTerms | None) -> None:
    assert expected == terms_of(granted(verifier().verify(cat(claims), NOW_S)))


def test_jwts_are_not_renewed() -> None:
    """catr is a claim of CATs; a JWT that has it is refused."""
    found = verifier().verify(jwt({"exp": NOW + 60, "jti": "a", "catr": {}}), NOW_S)
    assert not isinstance(found, VerifiedToken)
    assert terms_of(granted(verifier().verify(jwt({"exp": NOW + 60, "jti": "a"}), NOW_S))) is None


ENDS: list[tuple[str, RenewalTerms, int, int, int | None]] = [
    ("in its window", RenewalTerms(120, 60, NOW - 100), 60, 3600, 120),
    ("before its window", RenewalTerms(120, 60, NOW - 100), 61, 3600, None),
    ("after its end, within the leeway", RenewalTerms(120, 60, NOW - 100), -30, 3600, 120),
    ("to the longest lifetime", RenewalTerms(120, 60, NOW - 100), 60, 190, 90),
    ("at the longest lifetime", RenewalTerms(120, 60, NOW - 100), 60, 160, None),
    ("past the longest lifetime", RenewalTerms(120, 60, NOW - 100), 60, 50, None),
    ("without iat", RenewalTerms(9000, 60, NOW + 30), 30, 3600, 3600),
    ("without iat, again", RenewalTerms(9000, 60, NOW - 30), 30, 3600, 3570),
    ("a shorter one", RenewalTerms(30, 60, NOW - 100), 60, 3600, None),
]


@pytest.mark.parametrize(
    ("terms", "ends_in_s", "most_s", "expected_s"),
    [row[1:] for row in ENDS],
    ids=[row[0] for row in ENDS],
)
def test_the_later_end(
    terms: RenewalTerms, ends_in_s: int, most_s: int, expected_s: int | None
) -> None:
    """Never sooner than the old one."""
    expected = None if expected_s is None else NOW + expected_s
    assert expected == terms.later_end(NOW + ends_in_s, NOW_S, most_s)


IN_FORCE: list[tuple[str, dict[str, Any], int | None]] = [
    ("always", {}, 120),
    ("later", {"not_before_s": NOW + 1}, None),
    ("earlier", {"not_after_s": NOW}, None),
    ("up to then", {"not_after_s": NOW + 90}, 90),
    ("the old one ends later", {"not_after_s": NOW + 30}, None),
    ("for long", {"not_before_s": NOW, "not_after_s": NOW + 120}, 120),
]


@pytest.mark.parametrize(
    ("use", "expected_s"), [row[1:] for row in IN_FORCE], ids=[row[0] for row in IN_FORCE]
)
def test_a_token_is_renewed_while_the_key_that_renews_is_in_force(
    use: dict[str, Any], expected_s: int | None
) -> None:
    """And to no later end: no good token is replaced by one that is refused."""
    rules = RenewalRules(secret_renewal_key(token_key(**use)), 3600)
    expected = None if expected_s is None else NOW + expected_s
    assert expected == rules.later_end(RenewalTerms(120, 60, NOW - 100), NOW + 30, NOW_S)


CLAIMS: dict[int | str, Any] = {
    1: "https://backend.example",
    2: "viewer",
    4: NOW + 30,
    6: NOW - 600,
    7: CTI,
    310: 1,
    311: [CBORTag(54, [32, bytes.fromhex("20010db8")]), 64496],
    312: {3: {1: "/paid/"}},
    323: HEADER_120,
    "asset_prefix": "paid/",
}


@pytest.mark.parametrize("tagged", [True, False])
def test_a_renewed_token_is_the_old_one_with_a_later_end(tagged: bool) -> None:
    """Also its id, so that what revokes the old one revokes it, and the time from which its
    lifetime counts."""
    old = cat(CLAIMS, tagged=tagged)
    token = granted(verifier().verify(old, NOW_S, checks_request=True))
    new = secret_renewal_key(token_key()).renewed(old, token, NOW + 120, NOW_S)
    message = loads(decoded(new) or b"")
    assert (61 if tagged else 17) == message.tag
    parts = (message.value if tagged else message).value
    assert CLAIMS | {4: NOW + 120} == loads(parts[2])
    assert ({1: 5}, {4: b"k"}) == (loads(parts[0]), parts[1])
    found = granted(verifier().verify(new, NOW_S, checks_request=True))
    assert (NOW + 120, "0b71", NOW - 600) == (found.expires_s, found.token_id, found.issued_s)
    assert (ip_network("2001:db8::/32"),) == found.networks


def test_a_token_without_iat_gets_one() -> None:
    """From now on its lifetime counts from its first renewal."""
    old = cat({7: CTI, 323: HEADER_120})
    token = granted(verifier().verify(old, NOW_S))
    new = secret_renewal_key(token_key()).renewed(old, token, NOW + 99, NOW_S)
    assert NOW == granted(verifier().verify(new, NOW_S)).issued_s


def test_renewals_in_a_row_end_at_the_longest_lifetime() -> None:
    """Each in the last second; the last one is shorter."""
    key, strict = secret_renewal_key(token_key()), verifier()
    token, now_s, ends = cat(CLAIMS), NOW_S, []
    while True:
        found = granted(strict.verify(token, now_s, checks_request=True))
        terms = terms_of(found)
        assert terms is not None
        now_s = (found.expires_s or 0) - 1
        end_s = terms.later_end(found.expires_s or 0, now_s, 900)
        if end_s is None:
            break
        token = key.renewed(token, found, end_s, now_s)
        ends.append(end_s - NOW)
    assert [149, 268, 300] == ends


PRIVATE: list[tuple[Algorithm, Any]] = [
    ("ES256", ECKey.generate_key("P-256")),
    ("ES384", ECKey.generate_key("P-384")),
    ("ES512", ECKey.generate_key("P-521")),
    ("EdDSA", OKPKey.generate_key("Ed25519")),
    ("RS256", RSAKey.generate_key(2048)),
    ("PS512", RSAKey.generate_key(2048)),
]


@pytest.mark.parametrize(("algorithm", "key"), PRIVATE, ids=[row[0] for row in PRIVATE])
def test_a_private_key_signs_what_its_public_key_verifies(algorithm: Algorithm, key: Any) -> None:
    """Whatever signed the old one. The issuer of the key takes the place of the old one, for who
    does not know what the gateway knows: that it is the token of another key and issuer."""
    use = KeyUse("gw", algorithm, issuer="https://gateway.example", renews=True)
    public = public_key(use, key.as_pem(private=False).decode())
    signs = private_renewal_key(public, key.as_pem(private=True).decode())
    strict = Verifier(TokenKeys([token_key(), public]), TokenRules())
    old = granted(strict.verify(cat(CLAIMS), NOW_S, checks_request=True))
    new = signs.renewed(cat(CLAIMS), old, NOW + 120, NOW_S)
    assert "https://gateway.example" == claims_of(new)[0][1]
    found = granted(strict.verify(new, NOW_S, checks_request=True))
    assert ("k", "https://backend.example", "0b71") == (
        found.key,
        found.issuer,
        found.token_id,
    )
    assert "PRIVATE" not in repr(signs)


def gateway_key(**use: Any) -> TokenKey:
    """A key that renews the tokens of others."""
    return secret_key(KeyUse("gw", "HS256", **({"renews": True} | use)), b"g" * 32)


def renewed(old: str, *keys: TokenKey, by: TokenKey) -> str:
    """The token that ``by`` makes of an old one, which one of the ``keys`` made."""
    token = granted(verifier(*keys).verify(old, NOW_S))
    return secret_renewal_key(by).renewed(old, token, NOW + 120, NOW_S)


OPENS = [
    Protection(keys=frozenset({"k"})),
    Protection(keys=frozenset({"gw"})),
    Protection(issuers=frozenset({"a"})),
    Protection(issuers=frozenset({"gateway"})),
]
MAKERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("sub is an asset for the first key", {"subject_is": "asset"}, {}),
    ("sub is an asset for the key that renews", {}, {"subject_is": "asset"}),
    ("both have an issuer", {"issuer": "a"}, {"issuer": "gateway"}),
    ("the key that renews has an issuer", {}, {"issuer": "gateway"}),
    ("the first key has an issuer", {"issuer": "a"}, {}),
]


@pytest.mark.parametrize("issuer", ["a", None])
@pytest.mark.parametrize(
    ("of_first", "of_renewer"), [row[1:] for row in MAKERS], ids=[row[0] for row in MAKERS]
)
def test_a_renewed_token_opens_what_the_first_one_did(
    of_first: dict[str, Any], of_renewer: dict[str, Any], issuer: str | None
) -> None:
    """However often it is renewed, and whatever the tokens of the key that renews it open."""
    first, renewer = token_key(**of_first), gateway_key(**of_renewer)
    claims = {2: "film", 4: NOW + 30, 6: NOW - 600, 7: CTI, 323: HEADER_120}
    if issuer is not None or "issuer" in of_first:
        claims[1] = "a"
    old = cat(claims)
    once = renewed(old, first, by=renewer)
    twice = renewed(once, first, renewer, by=renewer)
    before, *after = (
        granted(verifier(first, renewer).verify(text, NOW_S)) for text in (old, once, twice)
    )
    for found in after:
        assert (before.assets, before.subject) == (found.assets, found.subject)
        assert (before.key_tag, before.issuer) == (found.key_tag, found.issuer)
        assert [each.mismatch(before) for each in OPENS] == [each.mismatch(found) for each in OPENS]


def test_a_renewed_token_ends_with_the_key_of_the_first_one() -> None:
    """When that is retired, replaced under its id, or not in force."""
    first, renewer = token_key(not_after_s=NOW_S + 60), gateway_key()
    new = renewed(cat({7: CTI, 323: HEADER_120}), first, by=renewer)
    strict = verifier(first, renewer)
    assert "k" == granted(strict.verify(new, NOW_S)).key
    assert RefusalCode.KEY_TIME is refused(strict.verify(new, NOW_S + 60))
    other = secret_key(KeyUse("k", "HS256"), b"x" * 32)
    unknown = []
    for keys in ([renewer], [renewer, other]):
        found = Verifier(TokenKeys(keys), TokenRules(), lambda: unknown.append(1))
        assert RefusalCode.UNKNOWN_KEY is refused(found.verify(new, NOW_S))
    assert [1, 1] == unknown, "a key of a set may be new here"


def test_only_a_key_that_renews_speaks_for_another() -> None:
    """Else whoever has one key could open what the tokens of another do."""
    first, other = token_key(), gateway_key(renews=False)
    new = renewed(cat({7: CTI, 323: HEADER_120}), first, by=other)
    assert RefusalCode.HEADER is refused(verifier(first, other).verify(new, NOW_S))
    granted(verifier(first, gateway_key()).verify(new, NOW_S))
    for origin in (1, [], [b"tag"], ["tag", "a"], [b"tag", 1], [b"tag", "a", "b"]):
        text = cat(protected={ORIGIN: origin})
        strict = verifier(token_key(renews=True))
        assert RefusalCode.HEADER is refused(strict.verify(text, NOW_S)), origin


def test_private_keys_that_do_not_fit() -> None:
    """The error has none of the key."""
    pem = {name: key.as_pem(private=True).decode() for name, key in PRIVATE}
    public = public_key(KeyUse("gw", "ES256"), PRIVATE[0][1].as_pem(private=False).decode())
    other = ECKey.generate_key("P-256").as_pem(private=True).decode()
    for text, why in (
        (other, "is not the private key of this key"),
        (pem["RS256"], "is no public key for ES256"),
        (pem["ES384"], "has another curve"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "is no public key"),
        (PRIVATE[0][1].as_pem(private=False).decode(), "is no private key in PEM"),
    ):
        with pytest.raises(ValueError, match=why):
            private_renewal_key(public, text)
