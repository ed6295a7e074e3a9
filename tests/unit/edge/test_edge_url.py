"""Which edges differ in their hosts alone?"""

import pytest

from gateway.edge.edge import Edge
from gateway.edge.edge_url import has_default_port, host_of, shape_of

SAME = [
    ("https://a.example/v/", "https://b.example/v/"),
    ("https://a.example/v/", "https://b.example:443/v/"),
    ("http://a.example/", "http://127.0.0.1:80/"),
    ("HTTPS://A.example/v/", "https://b.example/v/"),
    ("http://127.0.0.1:8081/", "http://127.0.0.2:8081/"),
]
OTHER = [
    ("https://a.example/v/", "http://a.example/v/"),
    ("https://a.example/v/", "https://b.example:8443/v/"),
    ("https://a.example/v/", "https://b.example/w/"),
    ("https://a.example/v/", "https://b.example/"),
    ("https://a.example/v/", "https://b.example/V/"),
    ("http://a.example:443/", "https://a.example/"),
]
HOSTS = [
    ("https://A.Example:8443/v/", "a.example"),
    ("http://127.0.0.1:8081/", "127.0.0.1"),
    ("http://eu.localhost:8081/", "eu.localhost"),
    ("https://a.example./", "a.example"),
    ("https://[2001:db8::1]:8443/", None),
    ("https://-a.example/", None),
    ("https://a_b.example/", "a_b.example"),
    ("ftp://a.example/", None),
    ("https://\u00e9.example/", None),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_urls_of_one_shape(one: str, other: str) -> None:
    assert shape_of(one) == shape_of(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_urls_of_other_shapes(one: str, other: str) -> None:
    assert shape_of(one) != shape_of(other)


@pytest.mark.parametrize(("url", "host"), HOSTS)
def test_hosts(url: str, host: str | None) -> None:
    """In the form in which HOST names them; None for one that it cannot name."""
    assert host == host_of(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/v/", True),
        ("HTTP://a.example:80/", True),
        ("https://a.example:443/v/", True),
        ("https://a.example:80/", False),
        ("http://127.0.0.1:8081/", False),
        ("https://[2001:db8::1]/v/", True),
        ("nonsense", False),
    ],
)
def test_the_port_of_the_scheme(url: str, expected: bool) -> None:
    assert expected == has_default_port(url)


def test_an_edge_knows_both() -> None:
    edge = Edge("a", "https://a.example:443/v/")
    assert ("a.example", shape_of("https://b.example/v/")) == (edge.host, edge.shape)
    assert 0 == shape_of("nonsense")
