"""What an admission keeps of a token, whom it admits, and how it is carried."""

from dataclasses import fields, replace
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from gateway.client.facts import DeviceKind, Limits
from gateway.trust.admission import (
    MAX_LISTED,
    Admission,
    Denial,
    Names,
    Viewer,
    asset_tag,
    stricter,
    text_tag,
)
from gateway.trust.tokens.key import KeyUse, TokenKey, secret_key
from gateway.trust.tokens.protection import Protection, RequiredClaim
from gateway.trust.tokens.renewal import RenewalRules, RenewalTerms, secret_renewal_key
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.verified import VerifiedToken
from manifests.codecs import CodecFamily

AVC, HEVC, AV1 = CodecFamily.AVC, CodecFamily.HEVC, CodecFamily.AV1
NOW_S, LEEWAY_S = 1_800_000_000.0, 60


def named(text: str) -> bytes:
    """A hashed name."""
    return blake2b(text.encode(), digest_size=20).digest()


NAMES = Names(
    lambda text: named(f"t{text}"), lambda text: named(f"u{text}"), lambda text: named(f"s{text}")
)
VIEWER = Viewer(named("s1"), "NO", False, ip_address("192.0.2.1"), 224, DeviceKind.TV)
BARE = Admission(b"k" * 8, b"d" * 16)
RULES = TokenRules(require_expiry=False, audiences=frozenset({"here", "there"}))
NO, KEY = Protection(), secret_key(KeyUse("k", "HS256"), b"s" * 32)
FULL = Admission(
    key=b"k" * 8,
    digest=b"d" * 16,
    expires_s=int(NOW_S) + 60,
    token=named("t"),
    subject=named("u"),
    session=named("s1"),
    countries=frozenset({"NO", "SE"}),
    refuse_anonymous=True,
    networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"), ip_network("::1/128")),
    asns=frozenset({1, 2**32 - 1}),
    devices=frozenset({DeviceKind.TV, DeviceKind.UNKNOWN}),
    limits=Limits(720, None, 3000, frozenset({AVC, HEVC})),
    max_sessions=2,
    terms=RenewalTerms(120, 60, int(NOW_S) - 3600),
    key_of_set=True,
    issuer=text_tag("issuer"),
    audiences=frozenset({text_tag("here"), text_tag("there")}),
    claims=frozenset({RequiredClaim.ASSET, RequiredClaim.SUBJECT}),
    issued_s=int(NOW_S) - 60,
    given_s=int(NOW_S),
    renewal_key=b"r" * 8,
)


def test_it_keeps_what_counts_of_a_token() -> None:
    """Names as hashes, and nothing of the text."""
    grant = VerifiedToken(
        "k",
        b"x" * 32,
        expires_s=NOW_S + 0.5,
        token_id="t1",
        subject="viewer",
        session="s1",
        countries=frozenset({"NO"}),
        refuse_anonymous=True,
        networks=(ip_network("192.0.2.0/24"),),
        asns=frozenset({1}),
        devices=frozenset({DeviceKind.TV}),
        limits=Limits(720),
        max_sessions=2,
        issuer="issuer",
        audiences=frozenset({"here", "elsewhere"}),
        issued_s=NOW_S - 9.5,
        prefixes=("film",),
        key_tag=KEY.tag,
        key_of_set=True,
        renewal_key_tag=b"r" * 8,
    )
    found = Admission.of(grant, NAMES, RULES, NOW_S + 1)
    assert {text_tag("here")} == found.audiences
    assert (text_tag("issuer"), int(NOW_S) - 10) == (found.issuer, found.issued_s)
    assert int(NOW_S) + 60 == found.given_s  # of this minute
    assert frozenset(RequiredClaim) == found.claims
    assert found.key_of_set
    assert b"r" * 8 == found.renewal_key
    assert (named("tt1"), named("uviewer"), named("ss1")) == (
        found.token,
        found.subject,
        found.session,
    )
    assert (int(NOW_S), KEY.tag, 2) == (found.expires_s, found.key, found.max_sessions)
    same = ("countries", "refuse_anonymous", "networks", "asns", "devices", "limits")
    assert all(getattr(found, name) == getattr(grant, name) for name in same)
    bare = Admission.of(VerifiedToken("k", b"x" * 32), NAMES, RULES, 0.0)
    assert bare == Admission(bytes(8), bare.digest)


def with_use(**use: Any) -> TokenKey:
    """The key for other tokens."""
    return secret_key(KeyUse("k", "HS256", **use), b"s" * 32)


STILL = [
    ("nothing asked", FULL, KEY, NO, RULES, True),
    ("an unknown key of a set", FULL, None, NO, RULES, True),
    ("key ended", FULL, with_use(not_after_s=NOW_S), NO, RULES, False),
    ("key not ended", FULL, with_use(not_after_s=NOW_S + 1), NO, RULES, True),
    ("key not yet", FULL, with_use(not_before_s=NOW_S + 1), NO, RULES, False),
    ("keys", FULL, KEY, Protection(keys=frozenset({"k"})), RULES, True),
    ("other keys", FULL, KEY, Protection(keys=frozenset({"x"})), RULES, False),
    ("issuers", FULL, KEY, Protection(issuers=frozenset({"issuer", "x"})), RULES, True),
    ("other issuers", FULL, KEY, Protection(issuers=frozenset({"x"})), RULES, False),
    ("no issuer", BARE, KEY, Protection(issuers=frozenset({"x"})), RULES, False),
    ("audiences", FULL, KEY, Protection(audiences=frozenset({"here"})), RULES, True),
    ("other audiences", FULL, KEY, Protection(audiences=frozenset({"x"})), RULES, False),
    ("no audience", BARE, KEY, Protection(audiences=frozenset({"here"})), RULES, False),
    ("audience of the gateway", FULL, KEY, NO, TokenRules(audiences=frozenset({"x"})), False),
    ("token for all", BARE, KEY, NO, replace(RULES, audiences=frozenset({"x"})), True),
    ("claim", FULL, KEY, Protection(required=(RequiredClaim.SUBJECT,)), RULES, True),
    ("no claim", FULL, KEY, Protection(required=(RequiredClaim.ID,)), RULES, False),
    ("an end", FULL, KEY, NO, replace(RULES, require_expiry=True), True),
    ("no end", BARE, KEY, NO, replace(RULES, require_expiry=True), False),
    ("lifetime", FULL, KEY, NO, replace(RULES, max_lifetime_s=120), True),
    ("shorter lifetime", FULL, KEY, NO, replace(RULES, max_lifetime_s=119), False),
    (
        *("no time of issue", replace(FULL, issued_s=None), KEY, NO),
        *(replace(RULES, max_lifetime_s=50, leeway_s=9), False),
    ),
]


@pytest.mark.parametrize(
    ("admission", "key", "protection", "rules", "expected"),
    [row[1:] for row in STILL],
    ids=[row[0] for row in STILL],
)
def test_what_the_config_asks_for_later(
    admission: Admission,
    key: TokenKey | None,
    protection: Protection,
    rules: TokenRules,
    expected: bool,
) -> None:
    """It opens nothing that its token would not open now."""
    read = Admission.from_bytes(admission.to_bytes("film"), "film")
    assert read is not None
    assert expected is read.still_opens(key, protection, rules, NOW_S)


def test_a_changed_key_is_another_one() -> None:
    """Also one with the same id; not one whose time was changed."""
    changed = [
        secret_key(KeyUse("k", "HS256"), b"t" * 32),
        secret_key(KeyUse("k", "HS384"), b"s" * 48),
        with_use(issuer="x"),
        with_use(subject_is="asset"),
        secret_key(KeyUse("l", "HS256"), b"s" * 32),
    ]
    assert 1 + len(changed) == len({KEY.tag, *(each.tag for each in changed)})
    assert KEY.tag == with_use(not_after_s=NOW_S).tag


DENIALS = [
    ("nothing asked", BARE, VIEWER, None),
    ("all fulfilled", FULL, VIEWER, None),
    ("expired", replace(BARE, expires_s=int(NOW_S) - 60), VIEWER, Denial.EXPIRED),
    ("nearly expired", replace(BARE, expires_s=int(NOW_S) - 59), VIEWER, None),
    ("session", FULL, replace(VIEWER, session=named("s2")), Denial.SESSION),
    ("no session", FULL, replace(VIEWER, session=None), Denial.SESSION),
    ("country", FULL, replace(VIEWER, country="DK"), Denial.COUNTRY),
    ("no country", FULL, replace(VIEWER, country=None), Denial.COUNTRY),
    ("anonymous", FULL, replace(VIEWER, anonymous=True), Denial.ANONYMOUS),
    ("perhaps anonymous", FULL, replace(VIEWER, anonymous=None), None),
    ("network", FULL, replace(VIEWER, address=ip_address("192.0.3.1")), Denial.NETWORK),
    ("no address", FULL, replace(VIEWER, address=None), Denial.NETWORK),
    ("IPv6", FULL, replace(VIEWER, address=ip_address("2001:db8::1")), None),
    ("system", FULL, replace(VIEWER, address=None, asn=1), None),
    ("no system", replace(BARE, asns=frozenset({1})), replace(VIEWER, asn=None), Denial.NETWORK),
    ("device", FULL, replace(VIEWER, device=DeviceKind.PHONE), Denial.DEVICE),
]


@pytest.mark.parametrize(
    ("admission", "viewer", "expected"), [row[1:] for row in DENIALS], ids=[r[0] for r in DENIALS]
)
@pytest.mark.parametrize("is_carried", [False, True])
def test_whom_it_admits(
    admission: Admission, viewer: Viewer, expected: Denial | None, is_carried: bool
) -> None:
    """The same when it was carried."""
    if is_carried:
        read = Admission.from_bytes(admission.to_bytes("film"), "film")
        assert read == admission
        admission = read
    assert expected is admission.denial(viewer, NOW_S, LEEWAY_S, unknown_country=False)


RENEWALS: list[tuple[str, Admission, float, int, int | None]] = [
    ("in its window", FULL, 0, 43_200, 120),
    ("before its window", FULL, -1, 43_200, 60),
    ("up to the longest lifetime", FULL, 0, 3700, 100),
    ("not shortened by it", FULL, 0, 3600, 60),
    ("without terms", replace(FULL, terms=None), 0, 43_200, 60),
    ("without an end", replace(FULL, expires_s=None), 0, 43_200, None),
]


@pytest.mark.parametrize(
    ("admission", "at_s", "most_s", "expected_s"),
    [row[1:] for row in RENEWALS],
    ids=[row[0] for row in RENEWALS],
)
def test_it_is_renewed_as_its_token_is(
    admission: Admission, at_s: float, most_s: int, expected_s: int | None
) -> None:
    """All else stays as it is."""
    rules = RenewalRules(secret_renewal_key(KEY), most_s)
    found = admission.renewed(NOW_S + at_s, rules)
    end_s = None if expected_s is None else int(NOW_S) + expected_s
    assert replace(admission, expires_s=end_s) == found


def test_renewals_of_a_token_without_iat_count_from_the_first_one() -> None:
    """As those of the token do, which has a time of issue from then on."""
    rules = RenewalRules(secret_renewal_key(KEY), 3600)
    terms = RenewalTerms(lifetime_s=36_000, window_s=36_000, since_s=int(NOW_S) + 3000)
    first = replace(FULL, expires_s=int(NOW_S) + 3000, terms=terms).renewed(NOW_S, rules)
    assert int(NOW_S) + 3600 == first.expires_s
    assert first == first.renewed(NOW_S + 2999, rules)


def test_an_unknown_country_may_be_allowed() -> None:
    unknown = replace(VIEWER, country=None)
    assert None is FULL.denial(unknown, NOW_S, LEEWAY_S, unknown_country=True)


@pytest.mark.parametrize("one", fields(FULL), ids=lambda field: field.name)
def test_every_claim_is_carried(one: object) -> None:
    """With any one of them left out."""
    name = one.name  # type: ignore[attr-defined]
    if name in {"key", "digest"}:
        return
    part = replace(FULL, **{name: getattr(BARE, name)})
    assert part == Admission.from_bytes(part.to_bytes("film"), "film")
    alone = replace(BARE, **{name: getattr(FULL, name)})
    assert alone == Admission.from_bytes(alone.to_bytes("film"), "film")


def test_no_limit_is_not_an_empty_one() -> None:
    none = replace(
        BARE,
        countries=frozenset(),
        networks=(),
        asns=frozenset(),
        devices=frozenset(),
        max_sessions=0,
    )
    assert none == Admission.from_bytes(none.to_bytes("film"), "film")


def test_an_end_in_the_far_future_is_carried() -> None:
    """As that of 2106: the form has 32 bits for it."""
    far = replace(FULL, expires_s=9_999_999_999)
    found = Admission.from_bytes(far.to_bytes("film"), "film")
    assert found is not None
    assert 2**32 - 1 == found.expires_s


def test_what_is_no_admission() -> None:
    """Another asset's, another version's, too short or too long."""
    data = FULL.to_bytes("film")
    assert None is Admission.from_bytes(data, "other")
    assert None is Admission.from_bytes(b"\x01" + data[1:], "film")
    assert None is Admission.from_bytes(data + b"\x00", "film")
    for length in range(len(data)):
        assert None is Admission.from_bytes(data[:length], "film")
    assert data[1:9] == asset_tag("film")


def test_long_lists_are_narrowed_to_the_viewer() -> None:
    """Each to what lets this viewer in; an admission has at most 600 bytes then."""
    many = replace(
        FULL,
        countries=frozenset({"NO", *(f"X{chr(65 + at)}" for at in range(20))}),
        asns=frozenset(range(210, 230)),
        networks=(*(ip_network(f"10.0.{at}.0/24") for at in range(40)), FULL.networks[0])
        if FULL.networks
        else None,
    )
    found = many.narrowed(VIEWER)
    assert (frozenset({"NO"}), frozenset({224})) == (found.countries, found.asns)
    assert (ip_network("192.0.2.0/24"),) == found.networks
    assert None is found.denial(VIEWER, NOW_S, LEEWAY_S, unknown_country=False)
    assert len(found.to_bytes("film")) < 600
    nobody = many.narrowed(Viewer(None, None, None, None, None, DeviceKind.TV))
    assert (many.countries, frozenset(), ()) == (nobody.countries, nobody.asns, nobody.networks)
    assert nobody == Admission.from_bytes(nobody.to_bytes("film"), "film")
    assert None is replace(nobody, networks=None, asns=None, devices=None).denial(
        VIEWER, NOW_S, LEEWAY_S, unknown_country=False
    ), "its country has become known"
    assert FULL == FULL.narrowed(VIEWER)
    assert MAX_LISTED == 16


STRICTER = [
    ("neither", Limits(), Limits(), Limits(), None),
    ("the request's", Limits(360, 240, 500), Limits(), Limits(360, 240, 500), None),
    ("the stricter is asked", Limits(360, None, 500), Limits(720, None, 600), None, None),
    ("height", Limits(), Limits(720), Limits(720), "the height to 720"),
    ("a lower height", Limits(1080), Limits(720), Limits(720), "the height to 720"),
    ("least", Limits(2160, 1080), Limits(720), Limits(720, 720), "the height to 720"),
    (
        "bit rate",
        Limits(max_bitrate_kbps=900),
        Limits(max_bitrate_kbps=800),
        Limits(max_bitrate_kbps=800),
        "the bit rate to 800 kbit/s",
    ),
    (
        "codecs",
        Limits(),
        Limits(codecs=frozenset({HEVC, AVC})),
        Limits(codecs=frozenset({HEVC, AVC})),
        "the codecs to avc, hevc",
    ),
    (
        "fewer codecs",
        Limits(codecs=frozenset({AVC, AV1})),
        Limits(codecs=frozenset({HEVC, AVC})),
        Limits(codecs=frozenset({AVC})),
        "the codecs to avc",
    ),
    (
        "no codecs",
        Limits(codecs=frozenset({AV1})),
        Limits(codecs=frozenset({AVC})),
        Limits(codecs=frozenset()),
        "the codecs to none of those asked for",
    ),
    (
        "all",
        Limits(),
        Limits(720, None, 800, frozenset({AVC})),
        Limits(720, None, 800, frozenset({AVC})),
        "the height to 720, and the bit rate to 800 kbit/s, and the codecs to avc",
    ),
]


@pytest.mark.parametrize(
    ("asked", "granted", "expected", "said"),
    [r[1:] for r in STRICTER],
    ids=[r[0] for r in STRICTER],
)
def test_the_stricter_of_two_limits_counts(
    asked: Limits, granted: Limits, expected: Limits | None, said: str | None
) -> None:
    """A client cannot ask for more; a reason says when the token's counts."""
    found, reason = stricter(asked, granted)
    assert (expected or asked) == found
    text = None if reason is None else reason.text
    assert (None if said is None else f"the token limits {said}") == text
