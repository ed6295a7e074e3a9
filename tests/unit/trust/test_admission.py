"""What an admission keeps of a token, whom it admits, and how it is carried."""

from dataclasses import fields, replace
from hashlib import blake2b
from ipaddress import ip_address, ip_network

import pytest

from gateway.client.facts import DeviceKind, Limits
from gateway.trust.admission import (
    MAX_LISTED,
    Admission,
    Denial,
    Names,
    Viewer,
    asset_tag,
    key_name,
    stricter,
)
from gateway.trust.tokens.grant import Grant
from gateway.trust.tokens.renewal import RenewalTerms
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
BARE = Admission(key_name("k"), b"d" * 16)
FULL = Admission(
    key=key_name("k"),
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
)


def test_it_keeps_what_counts_of_a_token() -> None:
    """Names as hashes, and nothing of the text."""
    grant = Grant(
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
    )
    found = Admission.of(grant, NAMES)
    assert (named("tt1"), named("uviewer"), named("ss1")) == (
        found.token,
        found.subject,
        found.session,
    )
    assert (int(NOW_S), key_name("k"), 2) == (found.expires_s, found.key, found.max_sessions)
    same = ("countries", "refuse_anonymous", "networks", "asns", "devices", "limits")
    assert all(getattr(found, name) == getattr(grant, name) for name in same)
    bare = Admission.of(Grant("k", b"x" * 32), NAMES)
    assert bare == Admission(key_name("k"), bare.digest)


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
    found = admission.renewed(NOW_S + at_s, most_s)
    end_s = None if expected_s is None else int(NOW_S) + expected_s
    assert replace(admission, expires_s=end_s) == found


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


def test_what_is_no_admission() -> None:
    """Another asset's, another version's, too short or too long."""
    data = FULL.to_bytes("film")
    assert None is Admission.from_bytes(data, "other")
    assert None is Admission.from_bytes(b"\x02" + data[1:], "film")
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
    assert (frozenset(), frozenset(), ()) == (nobody.countries, nobody.asns, nobody.networks)
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
