"""Client addresses (rule F9)."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from gateway.client.address import MAX_HOPS, TrustedProxies, is_https, resolve, viewer_prefix

TRUSTED = TrustedProxies.of(["10.0.0.0/8", "127.0.0.0/8", "2001:db8:ffff::/48", "192.0.2.7"])
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "address", "code"),
    [
        ("203.0.113.9", "203.0.113.9", "peer"),
        ("2001:db8::1", "2001:db8::1", "peer"),
        ("::ffff:203.0.113.9", "203.0.113.9", "peer"),
        ("fe80::1%eth0", "fe80::1", "peer"),
        ("10.1.2.3", "10.1.2.3", "peer"),
        (None, None, "peer-unknown"),
        ("testclient", None, "peer-unknown"),
        ("", None, "peer-unknown"),
        ("203.0.113.9%eth0", None, "peer-unknown"),
    ],
)
def test_without_headers_the_peer_is_the_client(
    peer: str | None, address: str | None, code: str
) -> None:
    """The address of the connection is used; one that is not an IP address is unknown."""
    found = resolve(peer, [], [], TRUSTED)
    assert (address and ip_address(address), "peer", [code]) == (
        found.ip,
        found.via,
        [reason.code for reason in found.reasons],
    )


@pytest.mark.parametrize("peer", ["203.0.113.9", None])
def test_headers_of_an_untrusted_peer_are_ignored_wholly(peer: str | None) -> None:
    """Headers of untrusted peers, and of connections without an address, are ignored."""
    found = resolve(peer, ["for=198.51.100.1"], ["198.51.100.1"], TRUSTED)
    assert (peer and ip_address(peer), "peer") == (found.ip, found.via)
    assert ["peer-untrusted" if peer else "peer-unknown"] == [r.code for r in found.reasons]


XFF = [
    ("one client", ["203.0.113.9"], "203.0.113.9", "x-forwarded-for"),
    ("a claim at the left", ["198.51.100.1, 203.0.113.9"], "203.0.113.9", "x-forwarded-for"),
    ("through trusted hops", ["203.0.113.9, 10.2.2.2,127.0.0.1"], "203.0.113.9", "x-forwarded-for"),
    ("lines join in order", ["198.51.100.1", "203.0.113.9", "10.9.9.9"], "203.0.113.9", None),
    ("a trusted single address", ["203.0.113.9, 192.0.2.7"], "203.0.113.9", None),
    ("its neighbour is not", ["203.0.113.9, 192.0.2.8"], "192.0.2.8", None),
    ("port", ["203.0.113.9:4711"], "203.0.113.9", None),
    ("obfuscated port", ["203.0.113.9:_p.1"], "203.0.113.9", None),
    ("IPv6", ["2001:db8::9"], "2001:db8::9", None),
    ("IPv6 in brackets", ["[2001:db8::9]"], "2001:db8::9", None),
    ("IPv6 with port", ["[2001:db8::9]:4711"], "2001:db8::9", None),
    ("IPv6 quoted with port", ['"[2001:db8::9]:4711"'], "2001:db8::9", None),
    ("IPv4 with zone", ["203.0.113.9%en0"], None, "address-hidden"),
    ("IPv4 with zone, and a colon in it", ["203.0.113.9%e:0"], None, "address-hidden"),
    ("IPv6 with zone", ["[fe80::9%25en0]:80"], "fe80::9", None),
    ("mapped", ["::ffff:203.0.113.9"], "203.0.113.9", None),
    ("mapped trusted hop", ["203.0.113.9, [::ffff:10.0.0.9]:80"], "203.0.113.9", None),
    ("trusted IPv6 hop", ["203.0.113.9, 2001:db8:ffff::5"], "203.0.113.9", None),
    ("empty elements", [" , 203.0.113.9 , ,\t, 10.0.0.2,"], "203.0.113.9", None),
    ("all hops trusted", ["10.3.3.3, 10.2.2.2"], "10.3.3.3", "all-hops-trusted"),
    ("unknown", ["203.0.113.9, unknown, 10.0.0.2"], None, "address-hidden"),
    ("obfuscated", ["203.0.113.9, _hidden"], None, "address-hidden"),
    ("garbage", ["203.0.113.9, <script>"], None, "address-hidden"),
    ("a quote alone", ['203.0.113.9, "'], None, "address-hidden"),
    ("empty quotes", ['203.0.113.9, ""'], None, "address-hidden"),
    ("leading zeros", ["203.0.113.009"], None, "address-hidden"),
    ("an octet too large", ["203.0.113.256"], None, "address-hidden"),
    ("an octet with a sign", ["203.0.113.+9"], None, "address-hidden"),
    ("an octet of other digits", ["203.0.113.\u0669"], None, "address-hidden"),
    ("an octet too few", ["203.0.113"], None, "address-hidden"),
    ("an octet too many", ["203.0.113.9.9"], None, "address-hidden"),
    ("an octet without digits", ["203.0..9"], None, "address-hidden"),
    ("a port that is none", ["203.0.113.9:port"], None, "address-hidden"),
    ("a port too long", ["203.0.113.9:123456"], None, "address-hidden"),
    ("a number", ["3405803785"], None, "address-hidden"),
    ("a network", ["203.0.113.0/24"], None, "address-hidden"),
    ("garbage left of the client", ["<x>,,,,\x00, 203.0.113.9"], "203.0.113.9", None),
    ("10 kB of garbage", ["x" * 10_000], None, "address-hidden"),
    ("10 kB, then a client", ["x" * 10_000 + ",203.0.113.9"], "203.0.113.9", None),
    ("100 kB of commas", ["203.0.113.9" + "," * 100_000], None, "too-many-hops"),
    (
        "as many hops as are read",
        ["203.0.113.9" + ",10.0.0.1" * (MAX_HOPS - 1)],
        "203.0.113.9",
        None,
    ),
    ("one more", ["203.0.113.9" + ",10.0.0.1" * MAX_HOPS], None, "too-many-hops"),
    ("no element at all", ["", " , "], PROXY, "peer"),
    ("100 kB of quotes", ['"' * 100_000], None, "address-hidden"),
]


@pytest.mark.parametrize(
    ("lines", "address", "code"), [row[1:] for row in XFF], ids=[row[0] for row in XFF]
)
def test_x_forwarded_for(lines: list[str], address: str | None, code: str | None) -> None:
    """X-Forwarded-For is read from right to left through trusted proxies."""
    found = resolve(PROXY, [], lines, TRUSTED)
    assert (address and ip_address(address)) == found.ip
    assert [code or "x-forwarded-for"] == [reason.code for reason in found.reasons]


FORWARDED = [
    ("one client", ["for=203.0.113.9"], "203.0.113.9", "forwarded"),
    ("other parameters", ["proto=https;FOR=203.0.113.9 ; by=_x"], "203.0.113.9", "forwarded"),
    ("port", ['for="203.0.113.9:4711"'], "203.0.113.9", "forwarded"),
    ("port, unquoted against the rule", ["for=203.0.113.9:80"], "203.0.113.9", "forwarded"),
    ("IPv6", ['for="[2001:db8::9]:4711"'], "2001:db8::9", "forwarded"),
    ("an escape in quotes", ['for="203.0.113\\.9"'], "203.0.113.9", "forwarded"),
    ("through a trusted hop", ["for=203.0.113.9, for=10.4.4.4"], "203.0.113.9", "forwarded"),
    ("a claim at the left", ["for=198.51.100.1, for=203.0.113.9"], "203.0.113.9", "forwarded"),
    ("lines join in order", ["for=198.51.100.1", "for=203.0.113.9"], "203.0.113.9", "forwarded"),
    ("a comma in quotes", ['for=203.0.113.9;by="a,b"'], "203.0.113.9", "forwarded"),
    ("quotes in quotes", ['for=203.0.113.9;by="a\\",b\\""'], "203.0.113.9", "forwarded"),
    ("two quoted", ['for="203.0.113.9";by="a,b", for="10.1.1.1"'], "203.0.113.9", "forwarded"),
    ("an open quote before", ['for="198.51.100.1, for=203.0.113.9'], "203.0.113.9", "forwarded"),
    ("an open quote swallows nothing", ['for=", for="203.0.113.9"'], "203.0.113.9", "forwarded"),
    ("an open quote alone", ['for=198.51.100.1;by="x'], None, "address-hidden"),
    ("a hop without for", ["for=203.0.113.9, proto=https, for=10.0.0.2"], None, "address-hidden"),
    ("for twice", ["for=203.0.113.9;for=198.51.100.1"], None, "address-hidden"),
    ("unknown", ["for=unknown"], None, "address-hidden"),
    ("obfuscated", ['for="_gazonk"'], None, "address-hidden"),
    ("nothing after for", ["for="], None, "address-hidden"),
    ("not a pair", ["for=203.0.113.9;nonsense"], None, "address-hidden"),
    ("100 kB of quotes", ["for=1.1.1.1;" + '"' * 100_000 + ";for=1.1.1.1"], None, "address-hidden"),
    (
        "100 kB of escapes",
        ["for=1.1.1.1;" + '\\"' * 50_000 + ";for=1.1.1.1"],
        None,
        "address-hidden",
    ),
    (
        "a quoted comma too far away",
        ['for=203.0.113.9;by="a,' + "b" * 600 + '"'],
        None,
        "address-hidden",
    ),
    (
        "an element as long as allowed",
        [f"for=203.0.113.9;by={'x' * 493}"],
        "203.0.113.9",
        "forwarded",
    ),
    ("too long an element", [f"for=203.0.113.9;by={'x' * 600}"], None, "address-hidden"),
    ("all hops trusted", ["for=10.3.3.3, for=10.2.2.2"], "10.3.3.3", "all-hops-trusted"),
    ("too many hops", ["for=10.1.1.1" + ",for=10.1.1.1" * MAX_HOPS], None, "too-many-hops"),
    ("no for in the nearest", ["for=203.0.113.9, proto=https"], PROXY, "peer"),
    ("empty", [""], PROXY, "peer"),
]


@pytest.mark.parametrize(
    ("lines", "address", "code"), [row[1:] for row in FORWARDED], ids=[row[0] for row in FORWARDED]
)
def test_forwarded(lines: list[str], address: str | None, code: str) -> None:
    """Forwarded (RFC 7239 4) is read from right to left through trusted proxies."""
    found = resolve(PROXY, lines, [], TRUSTED)
    assert (address and ip_address(address), [code]) == (found.ip, [r.code for r in found.reasons])


@pytest.mark.parametrize(
    ("forwarded", "xff", "address", "via", "codes"),
    [
        ("for=203.0.113.9", "203.0.113.9", "203.0.113.9", "forwarded", ["forwarded"]),
        (
            "for=203.0.113.9",
            "198.51.100.1",
            "203.0.113.9",
            "forwarded",
            ["forwarded", "forwarding-headers-disagree"],
        ),
        ("for=203.0.113.9", "", "203.0.113.9", "forwarded", ["forwarded"]),
        ("proto=https", "198.51.100.1", "198.51.100.1", "x-forwarded-for", ["x-forwarded-for"]),
    ],
)
def test_forwarded_is_preferred_where_it_names_clients(
    forwarded: str, xff: str, address: str, via: str, codes: list[str]
) -> None:
    """Forwarded is used when both arrive; a reason says when the other header disagrees."""
    found = resolve(PROXY, [forwarded], [xff], TRUSTED)
    assert (ip_address(address), via, codes) == (
        found.ip,
        found.via,
        [reason.code for reason in found.reasons],
    )


def test_reasons_hold_no_address_and_no_player_text() -> None:
    """Reasons reach answers and logs, so they must not contain text from the client."""
    found = resolve(PROXY, ["for=<script>"], ["203.0.113.9"], TRUSTED)
    assert all("script" not in r.text and "203" not in r.text for r in found.reasons)


@pytest.mark.parametrize(
    ("cidr", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
        ("2001:db8::/32", "2001:db8:1::", "2001:db9::"),
        ("::ffff:10.0.0.0/104", "10.1.1.1", "::a01:101"),
        (" 0.0.0.0/0 ", "1.1.1.1", "::1"),
        ("::/0", "::1", "1.1.1.1"),
    ],
)
def test_trusted_networks(cidr: str, inside: str, outside: str) -> None:
    """A network contains only its own addresses, and none of the other IP version."""
    trusted = TrustedProxies.of(["198.18.0.0/15", cidr])
    assert ip_address(inside) in trusted
    assert ip_address(outside) not in trusted


@pytest.mark.parametrize("cidr", ["10.0.0.1/8", "10.0.0.0/33", "nonsense", ""])
def test_a_text_that_is_no_network_is_refused(cidr: str) -> None:
    """An invalid network is an error that names it."""
    with pytest.raises(ValueError, match=r"does not appear|host bits"):
        TrustedProxies.of([cidr])


@pytest.mark.parametrize(
    ("ip", "prefix"),
    [
        (IPv4Address("203.0.113.9"), "203.0.113.0/24"),
        (IPv4Address("255.255.255.255"), "255.255.255.0/24"),
        (IPv6Address("2001:db8:1:2ff:3::4"), "2001:db8:1:200::/56"),
        (IPv6Address("ffff:ffff:ffff:ffff:ffff::"), "ffff:ffff:ffff:ff00::/56"),
    ],
)
def test_a_viewer_is_named_by_the_network_around_the_address(
    ip: IPv4Address | IPv6Address, prefix: str
) -> None:
    """Addresses of one household have the same prefix: /24 in IPv4, /56 in IPv6."""
    assert prefix == viewer_prefix(ip)


SCHEMES = [
    (PROXY, (), "https", True),
    (PROXY, (), "HTTPS", True),
    (PROXY, (), "http, https", True),
    (PROXY, (), "https, http", False),
    (PROXY, (), "http", False),
    (PROXY, (), "", False),
    (PROXY, (), "httpsx", False),
    (PROXY, ("for=203.0.113.9;proto=https",), None, True),
    (PROXY, ('for=203.0.113.9;Proto="https";by=x',), None, True),
    (PROXY, ("for=203.0.113.9;proto=https", "for=10.0.0.2;proto=http"), None, False),
    (PROXY, ("for=203.0.113.9;proto=http, for=10.0.0.2;proto=https",), None, True),
    (PROXY, ("for=203.0.113.9",), None, False),
    (PROXY, ("for=203.0.113.9;proto=https",), "http", False),
    (PROXY, ("," * 100_000,), None, False),
    (PROXY, (), None, False),
    ("203.0.113.9", ("proto=https",), "https", False),
    ("testclient", (), "https", False),
    (None, (), "https", False),
]


@pytest.mark.parametrize(("peer", "forwarded", "proto", "expected"), SCHEMES)
def test_a_trusted_proxy_says_that_it_ends_tls(
    peer: str | None, forwarded: tuple[str, ...], proto: str | None, *, expected: bool
) -> None:
    """Nobody else does; the element that the nearest proxy has written counts."""
    assert expected is is_https(peer, forwarded, proto, TRUSTED)
