"""Signed requests: the vector of the standard, and what is refused."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.trust.operators.message_signature import (
    ServiceKey,
    ServiceKeys,
    Signed,
    SignedMessage,
    matches_digest,
    signature_base,
)
from gateway.trust.operators.operator import Operator, Role, SignInRefusal

NOW_S = 1_618_884_480.0
VECTOR_KEY = b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
SECRET = b"a secret of the packager and the gateway"
KEYS = ServiceKeys(
    [
        ServiceKey("packager", SECRET, Role.OPERATOR),
        ServiceKey("former", SECRET, Role.OPERATOR, state="revoked"),
    ],
    60,
)
BODY = b'{"asset": "film"}'
DIGEST = f"sha-256=:{b64encode(sha256(BODY).digest()).decode()}:"
POST = SignedMessage(
    "POST",
    "http",
    "/v1/purge",
    "",
    {"host": "Gateway:8090", "content-digest": DIGEST, "x": "1, 2"},
    BODY,
)
COVERED = ("@method", "@path", "content-digest")
PARAMETERS: dict[str, object] = {"created": int(NOW_S), "keyid": "packager", "nonce": "n1"}


def signed(
    message: SignedMessage = POST,
    covered: tuple[str, ...] = COVERED,
    more: dict[str, object] | None = None,
    secret: bytes = SECRET,
) -> SignedMessage:
    """The message with its signature. A parameter that is None is left out."""
    parameters = {k: v for k, v in (PARAMETERS | (more or {})).items() if v is not None}
    base = signature_base(covered, parameters, message)
    described = base.decode().rpartition('"@signature-params": ')[2]
    signature = b64encode(hmac.digest(secret, base, "sha256")).decode()
    headers = {"signature-input": f"s={described}", "signature": f"s=:{signature}:"}
    return replace(message, headers={**message.headers, **headers})


def test_the_vector_of_the_standard() -> None:
    """RFC 9421, B.2.5: the base, and its signature."""
    message = SignedMessage(
        "POST",
        "https",
        "/foo",
        "param=Value&Pet=dog",
        {
            "host": "example.com",
            "date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type": "application/json",
        },
    )
    base = signature_base(
        ("date", "@authority", "content-type"),
        {"created": 1618884473, "keyid": "test-shared-secret"},
        message,
    )
    assert (
        b'"date": Tue, 20 Apr 2021 02:07:55 GMT\n'
        b'"@authority": example.com\n'
        b'"content-type": application/json\n'
        b'"@signature-params": ("date" "@authority" "content-type")'
        b';created=1618884473;keyid="test-shared-secret"'
    ) == base
    assert b64decode("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=") == hmac.digest(
        VECTOR_KEY, base, "sha256"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("@method", "POST"),
        ("@scheme", "http"),
        ("@authority", "gateway:8090"),
        ("@path", "/v1/purge"),
        ("@query", "?a=1"),
        ("@request-target", "/v1/purge?a=1"),
        ("@target-uri", "http://gateway:8090/v1/purge?a=1"),
        ("x", "1, 2"),
    ],
)
def test_the_value_of_a_component(name: str, value: str) -> None:
    base = signature_base((name,), {}, replace(POST, query="a=1")).decode()
    assert f'"{name}": {value}' == base.splitlines()[0]


GET = SignedMessage("GET", "http", "/v1/steer", "", {"host": "g"})


@pytest.mark.parametrize(
    ("message", "covered"),
    [
        (POST, COVERED),
        (POST, ("@method", "@target-uri", "content-digest", "@authority")),
        (GET, ("@method", "@path")),
        (replace(GET, query="limit=1"), ("@method", "@path", "@query")),
        (replace(GET, query="limit=1"), ("@method", "@target-uri")),
    ],
)
def test_what_is_accepted(message: SignedMessage, covered: tuple[str, ...]) -> None:
    found = KEYS.verify(signed(message, covered), NOW_S)
    operator = Operator("service", "packager", Role.OPERATOR)
    assert Signed(operator, "packager n1", int(NOW_S) + 61, int(NOW_S) + 3601) == found


def tampered(**headers: str) -> SignedMessage:
    """The signed message with other headers."""
    message = signed()
    return replace(message, headers={**message.headers, **headers})


LONG = "x" * 5000
MANY = " ".join(f'"f{number}"' for number in range(40))


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        (replace(signed(), body=b"{}"), "wrong-digest", "sha-256"),
        (replace(signed(), method="PUT"), "wrong-signature", "known key"),
        (replace(signed(), path="/v1/other"), "wrong-signature", "known key"),
        (replace(signed(), query="a=1"), "bad-signature", "@query is not signed"),
        (signed(secret=b"another"), "wrong-signature", "known key"),
        (signed(more={"keyid": "nobody"}), "wrong-signature", "known key"),
        (signed(more={"keyid": "nobody"}, secret=b""), "wrong-signature", "known key"),
        (signed(more={"keyid": "former"}), "revoked-key", "is revoked"),
        (signed(more={"created": int(NOW_S) - 61}), "bad-signature", "more than 60 s"),
        (signed(more={"created": int(NOW_S) + 61}), "bad-signature", "more than 60 s"),
        (signed(more={"created": None}), "bad-signature", "no parameter created"),
        (signed(more={"nonce": None}), "bad-signature", "no parameter nonce"),
        (signed(more={"keyid": None}), "bad-signature", "no parameter keyid"),
        (signed(more={"nonce": ""}), "bad-signature", "1 to 128"),
        (signed(more={"alg": "rsa-v1_5-sha256"}), "bad-signature", "not hmac-sha256"),
        (signed(more={"expires": int(NOW_S)}), "bad-signature", "has expired"),
        (signed(more={"expires": "soon"}), "bad-signature", "has expired"),
        (signed(covered=("@path", "content-digest")), "bad-signature", "@method is not"),
        (signed(covered=("@method", "content-digest")), "bad-signature", "nor @path"),
        (signed(covered=("@method", "@path")), "bad-signature", "content-digest is not"),
        (tampered(signature="s=:AAAA:"), "wrong-signature", "known key"),
        (tampered(signature="t=:AAAA:"), "bad-signature", "one and the same label"),
        (tampered(signature="s=1"), "bad-signature", "no bytes"),
        (tampered(signature='"'), "bad-signature", "no dictionary"),
        (tampered(signature="\udcff"), "bad-signature", "no dictionary"),
        (tampered(signature=LONG), "bad-signature", "longer than"),
        (
            tampered(**{"signature-input": f's=({MANY});created=1;keyid="a"'}),
            "bad-signature",
            "more than 32",
        ),
        (
            tampered(**{"signature-input": 's=("@method";req)'}),
            "bad-signature",
            "has parameters",
        ),
        (
            tampered(**{"signature-input": 's=("@path" "@path")'}),
            "bad-signature",
            "twice",
        ),
        (tampered(**{"signature-input": "s=1"}), "bad-signature", "no list"),
        (
            tampered(
                **{
                    "signature-input": 's=("@method" "@path" "content-digest" "gone")'
                    f';created={int(NOW_S)};keyid="packager";nonce="a"'
                }
            ),
            "bad-signature",
            "no component 'gone'",
        ),
    ],
)
def test_what_is_refused(message: SignedMessage, code: str, said: str) -> None:
    found = KEYS.verify(message, NOW_S)
    assert isinstance(found, SignInRefusal)
    assert code == found.code
    assert said in found.text
    assert SECRET.decode() not in repr(KEYS) + found.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DIGEST, True),
        (f"unknown=:AAAA:, {DIGEST}", True),
        ("unknown=:AAAA:", False),
        (f"{DIGEST}, sha-512=:AAAA:", False),
        ("sha-256=1", False),
        ("sha-256=(:AAAA:)", False),
        ('"', False),
        ("", False),
    ],
)
def test_digests_of_bodies(text: str, expected: bool) -> None:
    """RFC 9530."""
    assert expected == matches_digest(text, BODY)
