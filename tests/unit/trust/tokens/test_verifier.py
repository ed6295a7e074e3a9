"""Which texts are valid tokens, and why is each other one refused?"""

import json
from typing import Any

import pytest
from cbor2 import CBORTag, dumps

from gateway.cache import REFUSED_TOKENS
from gateway.trust.tokens import verifier as module
from gateway.trust.tokens.base64url import encoded
from gateway.trust.tokens.jwt import read_jwt
from gateway.trust.tokens.key import KeyUse, public_key, secret_key
from gateway.trust.tokens.key_set import MAX_TRIED, TokenKeys
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.unverified import UnverifiedToken
from gateway.trust.tokens.verified import VerifiedToken
from gateway.trust.tokens.verifier import REFUSED_S, Verifier
from tests.unit.trust.tokens.making import (
    CLAIMS,
    NOW_S,
    SECRET,
    cat,
    granted,
    jwt,
    private,
    refused,
    token_key,
    verifier,
)

HEADER = encoded(b'{"alg":"HS256","kid":"k"}')
EC_PEM = private("ES256").as_pem(private=False)
NOT_A_NUMBER = b'{"exp":NaN}'
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MALLEABLE = jwt()[:-1] + ALPHABET[ALPHABET.index(jwt()[-1]) ^ 1]
"""The last two bits of a signature of 32 bytes are in no byte."""


def cose(*parts: Any, tag: int = 17) -> str:
    """A text that is a COSE message with these parts."""
    return encoded(dumps(CBORTag(tag, list(parts))))


def raw(hexadecimal: str) -> str:
    """A text from the bytes of a token."""
    return encoded(bytes.fromhex(hexadecimal))


REFUSALS: list[tuple[str, str, RefusalCode]] = [
    ("empty", "", RefusalCode.MALFORMED),
    ("too long", "a" * 4097, RefusalCode.TOO_LONG),
    ("no base64url", "%%%", RefusalCode.MALFORMED),
    ("not ASCII", "é" * 12, RefusalCode.MALFORMED),
    ("half a character", "\udc80" * 12, RefusalCode.MALFORMED),
    ("two parts", "a.b", RefusalCode.MALFORMED),
    ("five parts: encrypted", "a.b.c.d.e", RefusalCode.MALFORMED),
    ("padding", jwt() + "=", RefusalCode.MALFORMED),
    ("a line end", jwt() + "\n", RefusalCode.MALFORMED),
    ("the same bytes in another text", MALLEABLE, RefusalCode.MALFORMED),
    ("no JSON", f"{HEADER}.{encoded(b'nope')}.", RefusalCode.MALFORMED),
    ("a list", f"{HEADER}.{encoded(b'[1]')}.", RefusalCode.MALFORMED),
    ("deep JSON", f"{HEADER}.{encoded(b'[' * 2900)}.", RefusalCode.MALFORMED),
    ("NaN", f"{HEADER}.{encoded(NOT_A_NUMBER)}.", RefusalCode.MALFORMED),
    ("a header that is no object", f"{encoded(b'1')}.e30.", RefusalCode.MALFORMED),
    ("no signature", jwt().rpartition(".")[0] + ".", RefusalCode.SIGNATURE),
    ("no algorithm", jwt(alg=None), RefusalCode.ALGORITHM),
    ("alg none", jwt(alg="none"), RefusalCode.ALGORITHM),
    ("alg NONE, no signature", jwt(alg="NonE").rpartition(".")[0] + ".", RefusalCode.ALGORITHM),
    ("alg as a number", jwt(alg=1), RefusalCode.ALGORITHM),
    ("another algorithm than the key's", jwt(algorithm="HS512"), RefusalCode.ALGORITHM),
    (
        "the public key as a secret",
        jwt(secret=EC_PEM, kid="ec"),
        RefusalCode.ALGORITHM,
    ),
    ("crit", jwt(crit=["exp"]), RefusalCode.HEADER),
    ("a key in the token", jwt(jwk={"kty": "oct", "k": encoded(SECRET)}), RefusalCode.HEADER),
    ("where a key is", jwt(jku="https://evil.example/"), RefusalCode.HEADER),
    ("where a certificate is", jwt(x5u="https://evil.example/"), RefusalCode.HEADER),
    ("a certificate", jwt(x5c=["MII"]), RefusalCode.HEADER),
    ("an unencoded payload", jwt(b64=False), RefusalCode.HEADER),
    ("a token in the token", jwt(cty="JWT"), RefusalCode.HEADER),
    ("kid as a number", jwt(kid=7), RefusalCode.HEADER),
    ("a long kid", jwt(kid="k" * 129), RefusalCode.HEADER),
    ("an unknown kid", jwt(kid="../../dev/null"), RefusalCode.UNKNOWN_KEY),
    ("another secret", jwt(secret=b"1" * 32), RefusalCode.SIGNATURE),
    ("another issuer than the key's", jwt(CLAIMS | {"iss": "b"}, kid="of-a"), RefusalCode.ISSUER),
    ("no issuer, and the key has one", jwt(kid="of-a"), RefusalCode.ISSUER),
    ("another audience", jwt(CLAIMS | {"aud": ["x", "y"]}), RefusalCode.AUDIENCE),
    ("no end", jwt({"sub": "a"}), RefusalCode.CLAIM),
    ("expired", jwt({"exp": NOW_S - 60}), RefusalCode.EXPIRED),
    ("not yet", jwt(CLAIMS | {"nbf": NOW_S + 61}), RefusalCode.NOT_YET),
    ("from the future", jwt(CLAIMS | {"iat": NOW_S + 61}), RefusalCode.NOT_YET),
    ("valid for too long", jwt({"exp": NOW_S + 8000}), RefusalCode.LIFETIME),
    ("long before its end", jwt({"exp": NOW_S + 8, "iat": NOW_S - 7193}), RefusalCode.LIFETIME),
    ("a key that is not in force yet", jwt(kid="later"), RefusalCode.KEY_TIME),
    ("a key that is no longer in force", jwt(kid="earlier"), RefusalCode.KEY_TIME),
    ("65 claims", jwt(CLAIMS | {f"x{n}": n for n in range(64)}), RefusalCode.CLAIM),
    ("CAT: no CBOR", raw("ff"), RefusalCode.MALFORMED),
    ("CAT: a number", raw("01"), RefusalCode.MALFORMED),
    ("CAT: bytes behind it", cat() + "AAAA", RefusalCode.MALFORMED),
    ("CAT: ends early", raw("d18443a10105"), RefusalCode.MALFORMED),
    ("CAT: a huge array", raw("9bffffffffffffffff"), RefusalCode.MALFORMED),
    ("CAT: a huge text", raw("7affffffff"), RefusalCode.MALFORMED),
    ("CAT: indefinite length", raw("9f01ff"), RefusalCode.MALFORMED),
    ("CAT: deep", raw("81" * 200 + "01"), RefusalCode.MALFORMED),
    ("CAT: a shared reference to itself", raw("d81c81d81d00"), RefusalCode.MALFORMED),
    ("CAT: a number of 2^64 digits", raw("c5821b7fffffffffffffff01"), RefusalCode.MALFORMED),
    ("CAT: many items", encoded(b"\x99\x04\x01" + b"\x01" * 1025), RefusalCode.MALFORMED),
    ("CAT: undefined", raw("f7"), RefusalCode.MALFORMED),
    ("CAT: no UTF-8", cat(b"\xa1\x01\x61\xff"), RefusalCode.MALFORMED),
    ("CAT: encrypted", cose(b"", {}, b"", tag=16), RefusalCode.MALFORMED),
    ("CAT: three parts", cose(b"", {}, b""), RefusalCode.MALFORMED),
    ("CAT: detached", cose(b"\xa1\x01\x05", {4: b"k"}, None, b""), RefusalCode.MALFORMED),
    ("CAT: the header is a list", cose(b"\x80", {}, b"\xa0", b""), RefusalCode.MALFORMED),
    ("CAT: the payload is a list", cose(b"\xa1\x01\x05", {}, b"\x80", b""), RefusalCode.MALFORMED),
    ("CAT: no algorithm", cose(b"", {4: b"k"}, b"\xa0", b""), RefusalCode.ALGORITHM),
    (
        "CAT: an unprotected algorithm",
        cose(b"\xa1\x01\x05", {1: 5}, b"\xa0", b""),
        RefusalCode.HEADER,
    ),
    ("CAT: alg as a text", cose(b"\xa1\x01\x65HS256", {}, b"\xa0", b""), RefusalCode.ALGORITHM),
    ("CAT: a short mac", cose(b"\xa1\x01\x04", {4: b"k"}, b"\xa0", b""), RefusalCode.ALGORITHM),
    (
        "CAT: a mac as a signature",
        cose(b"\xa1\x01\x05", {}, b"\xa0", b"", tag=18),
        RefusalCode.ALGORITHM,
    ),
    ("CAT: crit", cat(protected={2: [3]}), RefusalCode.HEADER),
    ("CAT: a certificate", cat(protected={33: b"MII"}), RefusalCode.HEADER),
    ("CAT: an IV", cat(unprotected={5: b"iv"}), RefusalCode.HEADER),
    ("CAT: kid twice", cat(protected={4: b"k"}), RefusalCode.HEADER),
    ("CAT: kid as a text", cat(kid="k"), RefusalCode.HEADER),
    ("CAT: an unknown kid", cat(kid=b"x"), RefusalCode.UNKNOWN_KEY),
    ("CAT: another algorithm than the key's", cat(algorithm="HS384"), RefusalCode.ALGORITHM),
    ("CAT: a mac with the public key", cat(kid=b"ec"), RefusalCode.ALGORITHM),
    (
        "CAT: a signature of nobody",
        cose(b"\xa1\x01\x05", {4: b"k"}, b"\xa0", b"x"),
        RefusalCode.SIGNATURE,
    ),
    ("CAT: expired", cat({4: int(NOW_S) - 60}), RefusalCode.EXPIRED),
    ("CAT: no end", cat(b"\xa1\x02\x61a"), RefusalCode.CLAIM),
]


@pytest.fixture(scope="module")
def strict() -> Verifier:
    """A verifier with keys of several kinds, and every rule."""
    return verifier(
        token_key(),
        token_key("ES256", "ec"),
        token_key(kid="of-a", issuer="a"),
        token_key(kid="later", not_before_s=NOW_S + 1),
        token_key(kid="earlier", not_after_s=NOW_S),
        max_lifetime_s=7200,
        audiences=frozenset({"vod"}),
    )


@pytest.mark.parametrize(
    ("text", "expected"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_what_is_refused(strict: Verifier, text: str, expected: RefusalCode) -> None:
    """Each for its own reason, the first and the second time."""
    first, second = strict.verify(text, NOW_S), strict.verify(text, NOW_S)
    assert expected == refused(first)
    assert first == second


@pytest.mark.parametrize(("text"), [r[1] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_reasons_have_nothing_of_the_token(strict: Verifier, text: str) -> None:
    """Sentences, nothing that looks like a part of it."""
    found = strict.verify(text, NOW_S)
    assert isinstance(found, Refused)
    assert found.sentence.endswith(".")
    assert not any(part in repr(found) for part in text.split(".") if len(part) > 8)


VALID: list[tuple[str, str]] = [
    ("a JWT", jwt()),
    ("without a kid", jwt(kid=None)),
    ("ES256", jwt(algorithm="ES256", kid="ec")),
    ("at the edge of the leeway", jwt({"exp": NOW_S - 59.5})),
    ("from a clock that is fast", jwt(CLAIMS | {"nbf": NOW_S + 60, "iat": NOW_S + 60})),
    ("the longest lifetime", jwt({"exp": NOW_S + 200, "iat": NOW_S - 7000})),
    ("the issuer of the key", jwt(CLAIMS | {"iss": "a"}, kid="of-a")),
    ("one audience of several", jwt(CLAIMS | {"aud": ["x", "vod"]})),
    ("unknown claims", jwt(CLAIMS | {"whatever": {"a": [1]}})),
    ("another type", jwt(typ="at+jwt")),
    ("a CAT", cat()),
    ("a CAT without tags", cat(tagged=False)),
    ("a CAT without a kid", cat(kid=None)),
    ("a CAT with a protected kid", cat(kid=None, protected={4: b"k"})),
    ("a signed CAT", cat(algorithm="ES256", kid=b"ec")),
    ("a signed CAT without tags", cat(algorithm="ES256", kid=b"ec", tagged=False)),
]


@pytest.mark.parametrize(("text"), [row[1] for row in VALID], ids=[row[0] for row in VALID])
def test_what_is_valid(strict: Verifier, text: str) -> None:
    """The same grant each time; its repr has nothing that the token says."""
    first, second = strict.verify(text, NOW_S), strict.verify(text, NOW_S)
    assert granted(first) is second
    assert repr(first) == f"VerifiedToken(key={granted(first).key!r}, form={granted(first).form!r})"


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"])
def test_both_names_of_eddsa(name: str) -> None:
    """RFC 8037 and RFC 9864; and a CAT with it."""
    strict = verifier(token_key("EdDSA"))
    assert granted(strict.verify(jwt(algorithm="EdDSA", alg=name), NOW_S)).key == "k"
    assert granted(strict.verify(cat(algorithm="EdDSA"), NOW_S)).key == "k"


def test_times_are_checked_at_each_use() -> None:
    """A token that was valid expires, and so does a key; a token that was too early becomes
    valid."""
    strict = verifier(token_key(not_after_s=NOW_S + 100))
    short, early = jwt({"exp": NOW_S + 10}), jwt({"exp": NOW_S + 1000, "nbf": NOW_S + 90})
    granted(strict.verify(short, NOW_S))
    assert RefusalCode.NOT_YET == refused(strict.verify(early, NOW_S))
    granted(strict.verify(early, NOW_S + 50))
    assert RefusalCode.EXPIRED == refused(strict.verify(short, NOW_S + 70))
    assert RefusalCode.KEY_TIME == refused(strict.verify(early, NOW_S + 100))


def test_a_token_without_an_end() -> None:
    """Allowed where the configuration says so."""
    assert granted(verifier(require_expiry=False).verify(jwt({}), NOW_S)).expires_s is None


def test_garbage_evicts_no_good_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a cache of its own; and a text that is refused twice is read once."""
    read: list[str] = []

    def recorded(text: str) -> UnverifiedToken:
        read.append(text)
        return read_jwt(text)

    monkeypatch.setattr(module, "read_jwt", recorded)
    strict, good = verifier(), jwt()
    granted(strict.verify(good, NOW_S))
    for number in range(3 * int(REFUSED_TOKENS.capacity)):
        strict.verify(f"a.{number}.b", NOW_S)
    read.clear()
    granted(strict.verify(good, NOW_S))
    assert [] == read
    for at_s in (0.0, REFUSED_S - 1, REFUSED_S, REFUSED_S - 1):
        strict.verify("x.y.z", NOW_S + at_s)
    assert ["x.y.z"] * 3 == read  # a clock that was set back does not make it last longer


def test_an_unknown_key_is_told_once() -> None:
    """So that whoever has the keys can look for it; other refusals tell nothing."""
    told: list[int] = []
    strict = Verifier(TokenKeys([token_key()]), TokenRules(), lambda: told.append(1))
    for text in (jwt(kid="new"), jwt(kid="new"), jwt(alg="none"), "x.y.z"):
        strict.verify(text, NOW_S)
    assert [1] == told


def test_one_id_and_two_issuers() -> None:
    """Sets of two issuers may use the same kid: the issuer decides."""
    other = secret_key(KeyUse("k", "HS256", issuer="b"), b"z" * 32)
    strict = verifier(token_key(issuer="a"), other)
    assert granted(strict.verify(jwt(CLAIMS | {"iss": "a"}), NOW_S)).issuer == "a"
    assert RefusalCode.SIGNATURE == refused(strict.verify(jwt(CLAIMS | {"iss": "b"}), NOW_S))
    assert RefusalCode.ISSUER == refused(strict.verify(jwt(CLAIMS | {"iss": ["a"]}), NOW_S))


def test_a_token_without_a_kid_is_tried_with_few_keys() -> None:
    """Each of the keys that fit; too many are refused before one is tried."""
    others = [secret_key(KeyUse(str(n), "HS256"), bytes([n]) * 32) for n in range(MAX_TRIED)]
    ec = token_key("ES256", "ec")
    few, many = verifier(ec, *others[1:], token_key()), verifier(*others, token_key())
    assert granted(few.verify(jwt(kid=None), NOW_S)).key == "k"
    assert RefusalCode.UNKNOWN_KEY == refused(many.verify(jwt(kid=None), NOW_S))


def test_what_the_grant_has() -> None:
    """Every claim of a JWT, in the gateway's terms."""
    claims = {
        "iss": "https://a.example",
        "sub": "viewer-7",
        "aud": "vod",
        "exp": NOW_S + 600,
        "nbf": NOW_S - 5,
        "iat": NOW_S - 6,
        "jti": "t1",
        "asset": ["film/one", "film/two"],
        "asset_prefix": "kids/",
        "session": "s1",
        "countries": ["gb", "IE"],
        "refuse_anonymous": True,
        "networks": ["10.0.0.0/8", "2001:db8::/32"],
        "asn": 64496,
        "devices": ["tv", "phone"],
        "max_resolution": "720p",
        "max_bitrate": 2500,
        "codecs": "avc,hevc",
        "max_sessions": 2,
    }
    found = granted(verifier(audiences=frozenset({"vod"})).verify(jwt(claims), NOW_S))
    assert isinstance(found, VerifiedToken)
    unseen = {"digest", "key_tag", "key_of_set", "renewal_key_tag"}
    shown = {name: getattr(found, name) for name in VerifiedToken.__slots__ if name not in unseen}
    assert {
        "key": "k",
        "form": "jwt",
        "issuer": "https://a.example",
        "audiences": frozenset({"vod"}),
        "issued_s": NOW_S - 6,
        "starts_s": NOW_S - 5,
        "expires_s": NOW_S + 600,
        "assets": frozenset({"film/one", "film/two"}),
        "prefixes": ("kids/",),
        "token_id": "t1",
        "subject": "viewer-7",
        "session": "s1",
        "countries": frozenset({"GB", "IE"}),
        "refuse_anonymous": True,
        "asns": frozenset({64496}),
        "max_sessions": 2,
        "methods": None,
        "uri": None,
        "headers": None,
        "renewal": None,
    } == {name: shown[name] for name in shown if name not in {"networks", "devices", "limits"}}
    assert ["10.0.0.0/8", "2001:db8::/32"] == list(map(str, found.networks or ()))
    assert ["phone", "tv"] == sorted(found.devices or ())
    assert (720, 2500, ["avc", "hevc"]) == (
        found.limits.max_height,
        found.limits.max_bitrate_kbps,
        sorted(found.limits.codecs or ()),
    )


def test_the_subject_may_be_the_asset() -> None:
    """As Mux and Cloudflare Stream have it; a key says so."""
    strict = verifier(token_key(subject_is="asset"))
    found = granted(strict.verify(jwt(CLAIMS | {"sub": "film/one", "asset": "b"}), NOW_S))
    assert (None, frozenset({"film/one", "b"})) == (found.subject, found.assets)


BAD_CLAIMS: list[tuple[str, Any, RefusalCode]] = [
    ("iss", 7, RefusalCode.CLAIM),
    ("iss", None, RefusalCode.CLAIM),
    ("sub", "", RefusalCode.CLAIM),
    ("jti", "x" * 1025, RefusalCode.CLAIM),
    ("aud", {}, RefusalCode.CLAIM),
    ("aud", [1], RefusalCode.CLAIM),
    ("exp", "tomorrow", RefusalCode.CLAIM),
    ("exp", True, RefusalCode.CLAIM),
    ("exp", -1, RefusalCode.CLAIM),
    ("nbf", 2**41, RefusalCode.CLAIM),
    ("asset", [], RefusalCode.CLAIM),
    ("asset", ["a"] * 257, RefusalCode.CLAIM),
    ("asset_prefix", ["x" * 1025], RefusalCode.CLAIM),
    ("session", "x" * 65, RefusalCode.CLAIM),
    ("countries", ["GBR"], RefusalCode.CLAIM),
    ("countries", "US-CA", RefusalCode.CLAIM),
    ("refuse_anonymous", 1, RefusalCode.CLAIM),
    ("networks", ["10.0.0.1/8"], RefusalCode.CLAIM),
    ("networks", "home", RefusalCode.CLAIM),
    ("asn", "64496", RefusalCode.CLAIM),
    ("asn", [0], RefusalCode.CLAIM),
    ("asn", True, RefusalCode.CLAIM),
    ("devices", ["toaster"], RefusalCode.CLAIM),
    ("max_resolution", "1081p", RefusalCode.CLAIM),
    ("max_resolution", 0, RefusalCode.CLAIM),
    ("max_bitrate", 2.5, RefusalCode.CLAIM),
    ("codecs", "mpeg2", RefusalCode.CLAIM),
    ("max_sessions", 0, RefusalCode.CLAIM),
    ("cnf", {"jkt": "x"}, RefusalCode.UNSUPPORTED),
    ("catu", {}, RefusalCode.UNSUPPORTED),
    ("catnip", [], RefusalCode.UNSUPPORTED),
    ("geohash", "u4", RefusalCode.UNSUPPORTED),
    ("accessRules", [], RefusalCode.UNSUPPORTED),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD_CLAIMS)
def test_claims_that_cannot_be_read(name: str, value: Any, expected: RefusalCode) -> None:
    """They refuse the token; the sentence names the claim, and not its value."""
    found = verifier(leeway_s=0).verify(jwt(CLAIMS | {name: value}), NOW_S)
    assert expected == refused(found)
    assert isinstance(found, Refused)
    assert f"claim {name}" in found.sentence
    assert len(str(value)) < 3 or json.dumps(value) not in found.sentence


def test_a_key_that_is_not_given_as_text() -> None:
    """A private key is refused before it is used."""
    with pytest.raises(ValueError, match="is a private key"):
        public_key(KeyUse("k", "ES256"), private("ES256").as_pem(private=True).decode())
