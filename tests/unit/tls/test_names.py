"""The names in certificates."""

import pytest

from gateway.tls.names import alternative_names, covers, distinguished_name

NAMES = ("DNS:a.example", "DNS:*.b.example", "IP Address:192.0.2.1", "IP Address:2001:DB8::1")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.example", True),
        ("A.Example.", True),
        ("x.a.example", False),
        ("x.b.example", True),
        ("b.example", False),
        ("x.y.b.example", False),
        (".b.example", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:db8:0::1", True),
        ("", False),
    ],
)
def test_covers(host: str, expected: bool) -> None:
    """RFC 9525, 6.3: a wildcard is one whole label."""
    assert expected == covers(NAMES, host)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ((), ""),
        (((("commonName", "a"),),), "CN=a"),
        (((("countryName", "NO"),), (("commonName", "a"),)), "CN=a,C=NO"),
        (((("commonName", "a"), ("userId", "7")),), "CN=a+UID=7"),
        (((("commonName", ' a,b+c"d\\e<f>g;h '),),), 'CN=\\ a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\ '),
        (((("commonName", "#a\n\x00é"),),), "CN=\\#a\\0A\\00é"),
        (((("emailAddress", "a@b"),),), "emailAddress=a@b"),
    ],
)
def test_distinguished_name(subject: tuple[object, ...], expected: str) -> None:
    """RFC 4514, 2.4: the last attribute first, special characters escaped."""
    assert expected == distinguished_name({"subject": subject})


def test_alternative_names() -> None:
    """As they are in the certificate."""
    found = {"subjectAltName": (("DNS", "a"), ("URI", "spiffe://a/b"))}
    assert ("DNS:a", "URI:spiffe://a/b") == alternative_names(found)
    assert () == alternative_names({})
