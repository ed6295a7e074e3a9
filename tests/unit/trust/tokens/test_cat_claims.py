"""What do the claims of a Common Access Token allow, and which are refused?"""

from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from cbor2 import CBORTag

from gateway.trust.tokens.cat_claims import LABELS
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.verified import Renewal, VerifiedToken
from tests.unit.trust.tokens.making import NOW_S, cat, granted, refused, verifier

URL = "https://play.example.com/v1/play/film/one.m3u8"


def grant(claims: dict[Any, Any]) -> VerifiedToken:
    """What a CAT with these claims allows."""
    strict = verifier(audiences=frozenset({"vod"}))
    return granted(strict.verify(cat(claims), NOW_S, checks_request=True))


def test_what_the_grant_has() -> None:
    """The claims of CWT, of CAT, and the gateway's own under their names."""
    found = grant(
        {
            1: "https://a.example",
            2: "viewer-7",
            3: ["vod"],
            5: int(NOW_S) - 5,
            6: NOW_S - 6.5,
            7: b"\x0b\x71",
            308: 0,
            310: 1,
            311: [CBORTag(52, [8, b"\x0a"]), CBORTag(54, bytes(15) + b"\x01"), 64496],
            313: ["GET"],
            316: ["gb"],
            323: {0: 2, 1: 300, 2: 60, 4: "cta-common-access-token"},
            "asset_prefix": "film/",
            "session": "s1",
            "devices": ["tv"],
            "max_resolution": 720,
            "max_bitrate": 2500,
            "codecs": "avc",
            "max_sessions": 2,
        }
    )
    assert ("https://a.example", "viewer-7", "0b71") == (
        found.issuer,
        found.subject,
        found.token_id,
    )
    assert (NOW_S - 5, NOW_S - 6.5) == (found.starts_s, found.issued_s)
    assert ["10.0.0.0/8", "::1/128"] == list(map(str, found.networks or ()))
    assert (frozenset({64496}), frozenset({"GB"})) == (found.asns, found.countries)
    assert (("film/",), "s1", 2) == (found.prefixes, found.session, found.max_sessions)
    assert (720, 2500) == (found.limits.max_height, found.limits.max_bitrate_kbps)
    assert Renewal("header", 300, 60, None, "cta-common-access-token") == found.renewal
    assert frozenset({"GET"}) == found.methods


@pytest.mark.parametrize(
    ("address", "asn", "expected"),
    [
        ("10.1.2.3", None, True),
        ("10.1.2.3", 1, True),
        ("11.1.2.3", 64496, True),
        ("11.1.2.3", 1, False),
        ("11.1.2.3", None, False),
        ("::1", None, False),
        (None, None, False),
        (None, 64496, True),
    ],
)
def test_networks_and_as_numbers(address: str | None, asn: int | None, expected: bool) -> None:
    """One of both is enough; what is not known is in neither."""
    found = grant({311: [CBORTag(52, [8, b"\x0a"]), 64496]})
    where = None if address is None else ip_address(address)
    assert isinstance(where, IPv4Address | IPv6Address | None)
    assert expected is found.allows_address(where, asn)
    assert grant({}).allows_address(where, asn)


@pytest.mark.parametrize(
    ("claims", "asset", "expected"),
    [
        ({}, "a", True),
        ({"asset": "a"}, "a", True),
        ({"asset": "a"}, "ab", False),
        ({"asset": ["a", "b"]}, "b", True),
        ({"asset_prefix": "a"}, "ab", True),
        ({"asset_prefix": "a/"}, "ab", False),
        ({"asset_prefix": ["x", "y"]}, "y/1", True),
        ({"asset": "a", "asset_prefix": "x"}, "x1", True),
        ({"asset": "a", "asset_prefix": "x"}, "b", False),
    ],
)
def test_assets(claims: dict[str, Any], asset: str, expected: bool) -> None:
    """Ids letter by letter, and prefixes letter by letter."""
    assert expected is grant(claims).allows_asset(asset)


HASH = sha256(b"/v1/play/film/one.m3u8").digest()
URIS: list[tuple[str, dict[int, Any], bool]] = [
    ("scheme", {0: {0: "https"}}, True),
    ("another scheme", {0: {0: "http"}}, False),
    ("host", {1: {0: "play.example.com"}}, True),
    ("end of the host", {1: {2: ".example.com"}}, True),
    ("default port", {2: {0: "443"}}, True),
    ("path", {3: {0: "/v1/play/film/one.m3u8"}}, True),
    ("start of the path", {3: {1: "/v1/play/film/"}}, True),
    ("another start", {3: {1: "/v1/play/kids/"}}, False),
    ("part of the path", {3: {3: "film"}}, True),
    ("hash of the path", {3: {-1: HASH}}, True),
    ("another hash", {3: {-1: HASH[::-1]}}, False),
    ("another kind of hash", {3: {-2: HASH}}, False),
    ("parent path", {5: {0: "/v1/play/film"}}, True),
    ("file name", {6: {0: "one.m3u8"}}, True),
    ("stem", {7: {0: "one"}}, True),
    ("extension", {8: {0: ".m3u8"}}, True),
    ("all of several", {0: {0: "https"}, 8: {0: ".m3u8"}}, True),
    ("one of several does not match", {0: {0: "https"}, 8: {0: ".mpd"}}, False),
    ("all rules of a component", {3: {1: "/v1/", 2: ".mpd"}}, False),
]


@pytest.mark.parametrize(("catu", "expected"), [r[1:] for r in URIS], ids=[r[0] for r in URIS])
def test_catu(catu: dict[int, Any], expected: bool) -> None:
    """The components of the URI and the kinds of matches."""
    asked = grant({312: catu}).allows_request("GET", URL, lambda _: None)
    assert (None if expected else "catu") == asked


@pytest.mark.parametrize(
    ("uri", "port", "extension"),
    [
        ("http://h/a", "80", ""),
        ("http://h:8080/a.tar.gz", "8080", ".tar.gz"),
        ("ftp://h", "", ""),
        ("https://[::1]:1/.x", "1", ".x"),
    ],
)
def test_components(uri: str, port: str, extension: str) -> None:
    """Port and extension of several URIs."""
    found = grant({312: {2: {0: port}, 8: {0: extension}}})
    assert found.allows_request("GET", uri, lambda _: None) is None


@pytest.mark.parametrize("claims", [{312: {0: {0: "https"}}}, {315: {"a": {0: "b"}}}])
def test_claims_about_the_request_need_a_caller_that_checks_it(claims: dict[int, Any]) -> None:
    """They are never ignored."""
    strict, token = verifier(), cat(claims)
    granted(strict.verify(token, NOW_S, checks_request=True))
    assert RefusalCode.UNSUPPORTED == refused(strict.verify(token, NOW_S))


def test_a_uri_that_is_none() -> None:
    """It matches nothing."""
    assert grant({312: {2: {0: "1"}}}).allows_request("GET", "http://[", lambda _: None) == "catu"


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", {"x-app": "tv-1"}, None),
        ("HEAD", {"x-app": "tv-1"}, None),
        ("POST", {"x-app": "tv-1"}, "catm"),
        ("GET", {"x-app": "web"}, "cath"),
        ("GET", {}, "cath"),
    ],
)
def test_methods_and_headers(method: str, headers: dict[str, str], expected: str | None) -> None:
    """A header that is not there does not match; HEAD is allowed where GET is."""
    found = grant({313: ["GET"], 315: {"X-App": {1: "tv"}}})
    assert expected == found.allows_request(method, URL, headers.get)


UNSUPPORTED: list[tuple[str, dict[Any, Any], str]] = [
    *(
        (name, {label: b""}, f"the claim {name}")
        for label, name in LABELS.items()
        if name not in {"iss", "sub", "aud", "exp", "nbf", "iat", "cti", "catreplay", "catv"}
        and name not in {"catnip", "catu", "catm", "cath", "catgeoiso3166", "catr"}
    ),
    ("an unknown label", {-70000: 1}, "a claim with the label -70000"),
    ("an unknown name", {"secret-name": 1}, "a claim with another label"),
    ("a label that is true", {True: 1}, "a claim with another label"),
    ("replay prohibited", {308: 1}, "the claim catreplay with a value other than 0"),
    ("a newer version", {310: 2}, "a version (catv) other than 1"),
    ("subdivisions", {316: ["US-CA"]}, "subdivisions of countries in the claim catgeoiso3166"),
    ("the query", {312: {4: {0: "a=b"}}}, "the query of the URI (catu)"),
    ("an unknown component", {312: {9: {0: "a"}}}, "a component of the URI (catu)"),
    ("a regular expression", {312: {3: {4: ["(a+)+$"]}}}, "a regular expression in the claim catu"),
    ("an unknown kind of match", {315: {"a": {9: "a"}}}, "a kind of match in the claim cath"),
]


@pytest.mark.parametrize(
    ("claims", "named"), [r[1:] for r in UNSUPPORTED], ids=[r[0] for r in UNSUPPORTED]
)
def test_claims_that_are_not_supported(claims: dict[Any, Any], named: str) -> None:
    """They refuse the token, and are named; texts of the token are not."""
    found = verifier().verify(cat(claims), NOW_S)
    assert RefusalCode.UNSUPPORTED == refused(found)
    assert isinstance(found, Refused)
    assert found.sentence.startswith(f"The token has {named}")
    assert "secret-name" not in found.sentence


BAD: list[tuple[str, dict[Any, Any], str]] = [
    ("iss", {1: b"a"}, "iss"),
    ("exp", {4: "soon"}, "exp"),
    ("exp is infinite", {4: float("inf")}, "exp"),
    ("cti", {7: "a"}, "cti"),
    ("catnip is empty", {311: []}, "catnip"),
    ("catnip with a text", {311: ["10.0.0.0/8"]}, "catnip"),
    ("catnip with another tag", {311: [CBORTag(52, "10.0.0.1")]}, "catnip"),
    ("catnip with too many bits", {311: [CBORTag(52, [33, b"\x0a"])]}, "catnip"),
    ("catnip with three bytes", {311: [CBORTag(52, b"\x0a\x00\x00")]}, "catnip"),
    ("catnip with the AS number 0", {311: [0]}, "catnip"),
    ("catm", {313: "GET"}, "catm"),
    ("catgeoiso3166", {316: ["GBR"]}, "countries"),
    ("catgeoiso3166 is a number", {316: 7}, "countries"),
    ("catu", {312: []}, "catu"),
    ("catu without rules", {312: {3: {}}}, "catu"),
    ("catu with a number", {312: {3: {0: 1}}}, "catu"),
    ("catu with a short hash", {312: {3: {-1: b"1"}}}, "catu"),
    ("cath", {315: {1: {0: "a"}}}, "cath"),
    ("catr", {323: []}, "catr"),
    ("catr of no kind", {323: {0: 9, 1: 1}}, "catr"),
    ("catr without a lifetime", {323: {0: 0}}, "catr"),
    ("catr with a bad name", {323: {0: 1, 1: 60, 3: 7}}, "catr"),
    ("catr with a name that ends a header", {323: {0: 2, 1: 60, 4: "a\r\nb"}}, "catr"),
    ("catr with a cookie of two", {323: {0: 1, 1: 60, 3: "a=1; b"}}, "catr"),
    ("catr with a negative deadline", {323: {0: 1, 1: 60, 2: -1}}, "catr"),
    ("catr with a deadline that is true", {323: {0: 1, 1: 60, 2: True}}, "catr"),
    ("catr with parameters of a number", {323: {0: 1, 1: 60, 5: [7]}}, "catr"),
    ("catr with a parameter with a line end", {323: {0: 1, 1: 60, 5: "Path=/\r\nA: b"}}, "catr"),
    ("catr with a parameter that is not ASCII", {323: {0: 2, 1: 60, 6: ["a=\xe9"]}}, "catr"),
    ("catr with many parameters", {323: {0: 2, 1: 60, 6: ["a"] * 17}}, "catr"),
]


@pytest.mark.parametrize(("claims", "named"), [r[1:] for r in BAD], ids=[r[0] for r in BAD])
def test_claims_that_do_not_have_their_form(claims: dict[Any, Any], named: str) -> None:
    """They refuse the token, and are named."""
    found = verifier().verify(cat(claims), NOW_S)
    assert RefusalCode.CLAIM == refused(found)
    assert isinstance(found, Refused)
    assert f"claim {named} " in found.sentence
