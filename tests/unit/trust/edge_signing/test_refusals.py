"""What an edge would refuse: every scheme judges as its vendor documents."""

import pytest
from cwt import COSE, COSEKey

from gateway.edge.signing import EdgeSigner, Validity
from gateway.trust.edge_signing.fit import check_url, described, sample_of
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SchemeError, SecretKey, base64url
from tests.unit.trust.edge_signing.signers import SHARED, signed, signers

EDGE = "https://cdn.example/videos/"
TIMES = Validity(1_700_000_000, 1_700_086_400)
DURING, AFTER = 1_700_000_000, 1_700_086_401
NAMES = list(signers())


@pytest.fixture(params=NAMES)
def signer(request: pytest.FixtureRequest) -> EdgeSigner:
    """One of all signers."""
    return signers()[request.param]


@pytest.mark.parametrize("path", ["master.m3u8", "720p/1.ts", "a~b/c-d_e.f", ""])
def test_below_the_folder_all_is_served(signer: EdgeSigner, path: str) -> None:
    """A query does not matter."""
    base, cookies = signed(signer, EDGE, "show/s1/", TIMES)
    assert signer.refusal(f"{base}{path}", cookies, DURING) is None
    assert signer.refusal(f"{base}{path}?x=/../y", cookies, DURING) is None


def test_the_whole_edge(signer: EdgeSigner) -> None:
    """A signature of the edge's url covers every asset."""
    base, cookies = signed(signer, EDGE, "", TIMES)
    assert signer.refusal(f"{base}any/asset/master.mpd", cookies, DURING) is None


def test_times(signer: EdgeSigner) -> None:
    """After its end no signature holds; those with a start do not hold before it."""
    base, cookies = signed(signer, EDGE, "a/", TIMES)
    assert "has expired" == signer.refusal(base, cookies, AFTER)
    starts = signer.scheme in {"akamai", "cloudfront", "cat"}
    starts = starts or (signer.scheme == "template" and signer.key_id in base)
    early = signer.refusal(base, cookies, TIMES.starts_s - 1)
    assert ("is not valid yet" if starts else None) == early


@pytest.mark.parametrize("folder", ["b/", "", "a", "ab/", "a/../b/", "A/"])
def test_another_folder(signer: EdgeSigner, folder: str) -> None:
    """A signature is good for its own folder only, whatever it is moved to."""
    base, cookies = signed(signer, EDGE, "a/", TIMES)
    moved = base.replace("/videos/a/", f"/videos/{folder}")
    if folder == "a/../b/":  # as players and edges write it
        moved = base.replace("/videos/a/", "/videos/b/")
    assert signer.refusal(f"{moved}x.ts", cookies, DURING) is not None


def test_without_a_signature(signer: EdgeSigner) -> None:
    """The plain URL, and cookies or segments that are none."""
    url = f"{EDGE}a/1.ts"
    assert "has no signature" == signer.refusal(url, {}, DURING)
    names = signed(signer, EDGE, "a/", TIMES)[1]
    for junk in ("", "x", "a=b", "\ud800", "%%%", "AAAA"):
        assert signer.refusal(url, dict.fromkeys(names, junk), DURING) is not None
        assert signer.refusal(f"{EDGE}{junk}~1~x/a.ts", {}, DURING) is not None


def test_another_key(signer: EdgeSigner) -> None:
    """What another key signed under the same id is refused."""
    name = next(name for name, one in signers().items() if one is signer)
    base, cookies = signed(signers(other_key=True)[name], EDGE, "a/", TIMES)
    assert "has a signature that does not match" == signer.refusal(base, cookies, DURING)


def test_another_key_id() -> None:
    """Where the id is signed or sent, it counts, too."""
    for name in ("media-cdn", "media-cdn, cookie", "cloudfront"):
        signer = signers()[name]
        base, cookies = signed(signer, EDGE, "a/", TIMES)
        renamed = {key: value.replace(signer.key_id, "other") for key, value in cookies.items()}
        found = signer.refusal(base.replace(signer.key_id, "other"), renamed, DURING)
        assert "has a signature that does not match" == found


def test_every_changed_character(signer: EdgeSigner) -> None:
    """Each character of a signature counts, except bits that base64 does not use."""
    base, cookies = signed(signer, EDGE, "a/", TIMES)
    for name, value in cookies.items():
        for at in range(0, len(value) - 4, 7):
            changed = value[:at] + ("x" if value[at] != "x" else "y") + value[at + 1 :]
            assert signer.refusal(base, {**cookies, name: changed}, DURING) is not None
    start = len("https://cdn.example/")
    for at in range(start, len(base) - 1, 5) if not cookies else ():
        changed = base[:at] + ("x" if base[at] != "x" else "y") + base[at + 1 :]
        assert signer.refusal(changed, {}, DURING) is not None


def test_signers_show_no_secret(signer: EdgeSigner) -> None:
    """Neither in their representation, nor in what describes them."""
    assert SHARED.secret.decode() not in f"{signer!r}{described(signer)}"
    assert "PRIVATE" not in repr(signer)
    where = "in the path" if signer.carrier == "path" else "in cookies"
    assert f"{signer.scheme}, key {signer.key_id}, {where}" == described(signer)


def test_equal_signers(signer: EdgeSigner) -> None:
    """Equal keys and settings are equal, and sign equally."""
    name = next(name for name, one in signers().items() if one is signer)
    made = signers(again=True)[name]
    assert (signer, hash(signer)) == (made, hash(made))
    assert signed(signer, EDGE, "a/", TIMES) == signed(made, EDGE, "a/", TIMES)
    assert signer != signers(other_key=True)[name]


def test_samples(signer: EdgeSigner) -> None:
    """A sample is a URL of the year 2000, or the names of cookies."""
    sample = sample_of(signer, EDGE)
    assert ("https://cdn.example/" in sample) is (signer.carrier == "path")
    assert "sample-asset/" in sample
    check_url(signer, EDGE)


class Wrong(NginxSigner):
    """Its signatures are good for any folder."""

    def refusal(self, *_: object) -> None:
        """Nothing is refused."""


def test_a_scheme_that_checks_nothing() -> None:
    """What holds for any folder is refused as a scheme."""
    with pytest.raises(SchemeError, match="exactly one folder and time"):
        sample_of(Wrong(SHARED), EDGE)


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("nginx", "https://e/a//b/", "may normalise"),
        ("nginx", "https://e/a/./b/", "may normalise"),
        ("nginx", "https://e/a/../b/", "may normalise"),
        ("nginx", "https://e/a%2Fb/", "may normalise"),
        ("nginx", "https://e/a%2fb/", "may normalise"),
        ("nginx", "https://e/%c3%a9/", "may normalise"),
        ("nginx", "https://e/%7Ea/", "may normalise"),
        ("nginx", "https://e/%41/", "may normalise"),
        ("nginx", "https://e/a%/", "may normalise"),
        ("nginx", "https://e/%C3%A9%20%25/", None),
        ("nginx", "https://e/...a/.b/", None),
        ("nginx", "https://e/a*b;c,d/", None),
        ("akamai", "https://e/a*b/", "wildcard"),
        ("cloudfront", "https://e.example/a*b/", "wildcard"),
        ("bunny", "https://e/a%20b/", "which form"),
        ("cat, cookie", "https://e.example/a;b/", "path of a cookie"),
        ("cat", "https://e/a;b/", None),
    ],
)
def test_urls_of_edges(name: str, url: str, words: str | None) -> None:
    """Only URLs that reach the edge as they are signed."""
    if words is None:
        check_url(signers()[name], url)
        sample_of(signers()[name], url)
        return
    with pytest.raises(SchemeError, match=words) as caught:
        check_url(signers()[name], url)
    assert "url" == caught.value.key


def test_a_token_that_is_no_cat() -> None:
    """Signed bytes that are no claims, and claims of another issuer."""
    cookie = "CTA-Common-Access-Token"
    signer = signers()["cat, cookie"]
    key = COSEKey.from_symmetric_key(SHARED.secret, alg="HS256", kid=b"key-1")
    token = COSE.new().encode(b"\x01", key, protected={1: 5}, unprotected={4: b"key-1"})
    assert signer.refusal(EDGE, {cookie: base64url(token)}, DURING) == (
        "has a signature that does not match"
    )
    _, cookies = signed(signers()["cat"], EDGE, "", TIMES)
    assert {} == cookies


def test_keys_as_bytes_are_not_shown() -> None:
    """A key's representation has its id alone."""
    assert "SecretKey(id='a')" == repr(SecretKey("a", b"hush"))
