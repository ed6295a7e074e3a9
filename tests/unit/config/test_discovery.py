"""Tests of the configuration of edges from DNS and the registry."""

from pathlib import Path

import pytest

from gateway.config.build import drains_of, templates_of
from gateway.config.load import load
from gateway.config.problem import ConfigError
from gateway.config.validators import parse_resolver
from gateway.edge.resolved import DnsQuestion

EDGE = '[[edges]]\nid = "eu"\nfallback = true\n'


def written(folder: Path, text: str) -> Path:
    """A config file with this text."""
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_with_dns_is_no_edge_itself(tmp_path: Path) -> None:
    """A table with ``dns`` is a template; its name is normalised."""
    text = EDGE + 'url = "http://e.example/v"\ndns = { name = "Edges.EU.example.com.", type = "A" }'
    loaded = load(written(tmp_path, text), {})
    (template,) = templates_of(loaded.settings)
    assert () == loaded.policy.edges
    assert ("http://e.example/v/", DnsQuestion("edges.eu.example.com", "A")) == (
        template.edge.url,
        template.question,
    )


def test_edges_that_the_config_drains(tmp_path: Path) -> None:
    """Drained edges take no new viewers."""
    text = EDGE + 'url = "http://e.example/"\ndrain = true'
    (drained,) = drains_of(load(written(tmp_path, text), {}).settings).items()
    assert ("eu", "draining", 0.0) == (drained[0], drained[1].state, drained[1].admits)


HTTPS = (
    "gives IP addresses, which the certificate of an https url does not name; "
    'allowed: type = "SRV", whose records give host names; or an http url'
)
REGISTRY = """
[registry]
enabled = true
urls = ["https://*.example/"]
[[registry.keys]]
id = "a"
secret = "a-secret-of-edges-that-has-enough-characters"
"""
WRONG = [
    (
        "registrations without keys",
        REGISTRY.partition("[[")[0],
        "registry.keys: is empty; registry.enabled is true; allowed: [[registry.keys]]",
    ),
    (
        "registrations with any URL",
        REGISTRY.replace('"https://*.example/"', ""),
        "registry.urls: [] is empty; registry.enabled is true; allowed: patterns such as",
    ),
    (
        "no pattern",
        REGISTRY.replace("*.example/", "*x.example"),
        'registry.urls[0]: "https://*x.example" is not a pattern of URLs; allowed: a URL such as',
    ),
    (
        "no key that signs",
        REGISTRY + 'status = "verify-only"',
        "registry.keys: has no key whose status is active",
    ),
    (
        "one id for two keys",
        REGISTRY + "".join(REGISTRY.partition("[[")[1:]) + 'status = "retired"',
        'registry.keys[1].id: "a" is also registry.keys[0].id',
    ),
    (
        "an address cannot have a certificate",
        EDGE + 'url = "https://e.example/"\ndns = { name = "e.example", type = "A" }',
        f'edges[0].dns: {{"name": "e.example", "type": "A"}} {HTTPS}',
    ),
    (
        "nor can one of IPv6",
        EDGE + 'url = "https://e.example/"\ndns = { name = "e.example", type = "AAAA" }',
        HTTPS,
    ),
    (
        "not a name",
        EDGE + 'url = "http://e.example/"\ndns = { name = "e..example", type = "A" }',
        'edges[0].dns.name: "e..example" is not a DNS name; allowed: a DNS name, such as',
    ),
    (
        "another type",
        EDGE + 'url = "http://e.example/"\ndns = { name = "e.example", type = "TXT" }',
        'edges[0].dns.type: "TXT" is not one of the allowed values; allowed: A, AAAA, SRV',
    ),
    (
        "a server by name",
        '[dns]\nresolvers = ["dns.example.com"]',
        'dns.resolvers[0]: "dns.example.com" is not an IP address; allowed: an IP address, or',
    ),
    (
        "a port that is none",
        '[dns]\nresolvers = ["10.0.0.1:0"]',
        'dns.resolvers[0]: "10.0.0.1:0" does not end with a port',
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """The message has the key, the value, and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), {})
    assert expected in str(caught.value)


RESOLVERS = [
    ("10.0.0.53", ("10.0.0.53", 53)),
    ("10.0.0.53:5353", ("10.0.0.53", 5353)),
    ("2001:db8::53", ("2001:db8::53", 53)),
    ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
]


@pytest.mark.parametrize(("text", "expected"), RESOLVERS, ids=[row[0] for row in RESOLVERS])
def test_addresses_of_dns_servers(text: str, expected: tuple[str, int]) -> None:
    """Addresses with and without a port."""
    assert expected == parse_resolver(text)


@pytest.mark.parametrize(
    "text", ["", ":53", "[::1]", "::1]:53", "10.0.0.1:65536", "10.0.0.1:5x", "10.0.0.1:99999999999"]
)
def test_what_is_no_address_of_a_dns_server(text: str) -> None:
    """Anything but an address, or an address with a port, is refused."""
    with pytest.raises(ValueError, match=r"^(is not an IP address|does not end with a port)$"):
        parse_resolver(text)
