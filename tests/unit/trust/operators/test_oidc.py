"""Tokens of an OpenID provider: which are accepted, and which role they give."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from gateway.trust.keys import KeyRing, Purpose, generated_key
from gateway.trust.operators.browser import (
    Flow,
    is_local_path,
    read_flow,
    read_session,
    signed_flow,
    signed_session,
)
from gateway.trust.operators.oidc import (
    OidcRules,
    key_id_of,
    key_set_of,
    looks_like_jwt,
    verify_token,
)
from gateway.trust.operators.operator import Operator, Role, SignInRefusal

NOW_S = 1_800_000_000.0
RSA = RSAKey.generate_key(2048, {"kid": "r"})
EC = ECKey.generate_key("P-256", {"kid": "e"})
OTHER = ECKey.generate_key("P-256", {"kid": "e"})
JWKS = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}
RULES = OidcRules(
    issuer="https://login.example.com",
    client_id="gateway",
    audiences=frozenset({"gateway", "api"}),
    role_claim="realm.roles",
    roles={"admins": Role.ADMIN, "ops": Role.OPERATOR, "all": Role.VIEWER},
)
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example.com",
    "aud": "gateway",
    "sub": "ada",
    "exp": NOW_S + 60,
    "iat": NOW_S,
    "nonce": "n",
    "realm": {"roles": ["all", "ops", "unknown"]},
}


def token(key: Any = EC, alg: str = "ES256", **more: Any) -> str:
    """A signed token. A claim that is None is left out."""
    claims = {name: value for name, value in (CLAIMS | more).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])


def verified(text: str, nonce: str | None = None) -> Operator | SignInRefusal:
    """What a token says."""
    return verify_token(text, key_set_of(JWKS), RULES, NOW_S, nonce)


@pytest.mark.parametrize(
    ("text", "nonce"),
    [
        (token(), None),
        (token(RSA, "RS256"), None),
        (token(RSA, "PS256"), None),
        (token(), "n"),
        (token(azp="gateway"), "n"),
        (token(azp="another"), None),
        (token(aud=["x", "api"]), None),
        (token(exp=NOW_S - 59), None),
        (token(iat=None), None),
    ],
)
def test_what_is_accepted(text: str, nonce: str | None) -> None:
    assert Operator("oidc", "ada", Role.OPERATOR) == verified(text, nonce)


SECRET = OctKey.import_key(b"0" * 32, {"kid": "e"})


@pytest.mark.parametrize(
    ("text", "nonce", "code", "said"),
    [
        (token(OTHER), None, "bad-token", "not signed"),
        (token(SECRET, "HS256"), None, "bad-token", "not signed"),
        ("a.b.c", None, "bad-token", "not signed"),
        ("\xff..", None, "bad-token", "not signed"),
        (token()[:-2] + "AA", None, "bad-token", "not signed"),
        (token(iss="https://evil.example.com"), None, "bad-claims", "issuer"),
        (token(iss=None), None, "bad-claims", "issuer"),
        (token(aud="other"), None, "bad-claims", "audience"),
        (token(aud=[1, {}]), None, "bad-claims", "audience"),
        (token(aud=None), None, "bad-claims", "audience"),
        (token(exp=None), None, "bad-claims", "expired"),
        (token(exp=True), None, "bad-claims", "expired"),
        (token(exp=NOW_S - 60), None, "bad-claims", "expired"),
        (token(nbf=NOW_S + 61), None, "bad-claims", "not valid yet (nbf)"),
        (token(iat=NOW_S + 61), None, "bad-claims", "not valid yet (iat)"),
        (token(iat="now"), None, "bad-claims", "not valid yet (iat)"),
        (token(sub=None), None, "bad-claims", "subject"),
        (token(sub="a" * 256), None, "bad-claims", "subject"),
        (token(), "another", "bad-claims", "nonce"),
        (token(nonce=None), "n", "bad-claims", "nonce"),
        (token(azp="another"), "n", "bad-claims", "another client"),
        (token(realm={"roles": ["x"]}), None, "no-role", "realm.roles"),
        (token(realm="all"), None, "no-role", "realm.roles"),
        (token(realm=None), None, "no-role", "realm.roles"),
    ],
)
def test_what_is_refused(text: str, nonce: str | None, code: str, said: str) -> None:
    found = verified(text, nonce)
    assert isinstance(found, SignInRefusal)
    assert code == found.code
    assert said in found.text
    assert "alg" not in found.text


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm": {"roles": "admins"}}, Role.ADMIN),
        ({"realm": {"roles": ["all", 7, "admins"]}}, Role.ADMIN),
        ({"realm.roles": "all", "realm": {"roles": "admins"}}, Role.VIEWER),
    ],
)
def test_the_highest_role_counts(claims: dict[str, Any], role: Role) -> None:
    """A claim of that very name comes before the path."""
    found = verified(token(**claims))
    assert isinstance(found, Operator)
    assert role == found.role


def test_which_keys_of_a_set_are_used() -> None:
    """Public keys for signatures; what else there is is passed over."""
    other = {**RSA.as_dict(private=False), "use": "enc"}
    mixed = {"keys": [other, {"kty": "oct", "k": "AA"}, {"kty": "RSA"}, 7, *JWKS["keys"]]}
    odd: list[Any] = [[], {}, None]
    mixed["keys"] += [{**other, "use": "sig", "kty": each} for each in odd]
    assert {"r", "e"} == key_set_of(mixed).ids
    nothings: list[dict[str, Any]] = [{}, {"keys": []}, {"keys": 7}]
    for nothing in nothings:
        with pytest.raises(ValueError, match="no key"):
            key_set_of(nothing)


@pytest.mark.parametrize(
    ("text", "key_id"), [(token(), "e"), ("a.b.c", None), ("\xff..", None), ("", None)]
)
def test_the_key_that_a_token_names(text: str, key_id: str | None) -> None:
    assert key_id == key_id_of(text)
    assert looks_like_jwt(text) == (text.count(".") == 2)


RING, OTHER_RING = KeyRing(generated_key(b"1" * 32)), KeyRing(generated_key(b"2" * 32))
FLOW = Flow("s", "n", "v", "/console", 100)
ADA = Operator("oidc", "ada", Role.ADMIN)


def test_a_flow_is_kept_by_the_browser_that_began_it() -> None:
    text = signed_flow(RING, FLOW)
    assert FLOW == read_flow(RING, text, 99)
    for keys, given, now_s in ((RING, text, 100), (OTHER_RING, text, 1), (RING, "x.y", 1)):
        assert read_flow(keys, given, now_s) is None
    assert read_flow(RING, signed_session(RING, ADA, RULES, 100), 1) is None


def test_a_session_ends_in_time_and_with_the_rules_under_which_it_began() -> None:
    text = signed_session(RING, ADA, RULES, 100)
    found = read_session(RING, text, RULES, 99)
    assert Operator("oidc", "ada", Role.ADMIN, by_cookie=True) == found
    other = OidcRules("https://x", "gateway", RULES.audiences, "realm.roles", RULES.roles)
    for keys, rules, now_s in ((RING, RULES, 100), (RING, other, 1), (OTHER_RING, RULES, 1)):
        assert read_session(keys, text, rules, now_s) is None
    assert read_session(RING, RING.sign(Purpose.OPERATOR_SESSION, b"{"), RULES, 1) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", True),
        ("/console?a=1", True),
        ("//evil.example.com", False),
        ("/\\evil.example.com", False),
        ("https://evil.example.com", False),
        ("/a\r\nSet-Cookie: x", False),
        ("/é", False),
        ("/" + "a" * 500, False),
        ("", False),
    ],
)
def test_where_a_browser_may_return(text: str, expected: bool) -> None:
    assert expected == is_local_path(text)
