"""Which names does a certificate have, and do they cover a host? (Pure.)

Certificates are dicts as :meth:`ssl.SSLSocket.getpeercert` gives them. Only the subject alternative
names count for a host (RFC 9525, 2): clients have stopped to read the common name.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""The names of attributes that RFC 4514, 3, has every reader know."""
_ESCAPED = frozenset('"+,;<>\\')


def alternative_names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The subject alternative names, such as ``DNS:a.example``, ``IP Address:192.0.2.1`` and
    ``URI:spiffe://a/b``."""
    return tuple(f"{kind}:{name}" for kind, name in certificate.get("subjectAltName", ()))


def distinguished_name(certificate: Mapping[str, Any]) -> str:
    """The subject as text (RFC 4514): ``CN=alice,O=Example``."""
    parts = (
        "+".join(f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in attributes)
        for attributes in reversed(certificate.get("subject", ()))
    )
    return ",".join(parts)


def _escaped(value: str) -> str:
    """The value of an attribute (RFC 4514, 2.4)."""
    return "".join(_escapes(value))


def _escapes(value: str) -> Iterator[str]:
    last = len(value) - 1
    for position, character in enumerate(value):
        at_an_end = (position == 0 and character in " #") or (position == last and character == " ")
        if character in _ESCAPED or at_an_end:
            yield "\\" + character
        elif character.isprintable():
            yield character
        else:
            yield "".join(f"\\{byte:02X}" for byte in character.encode())


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate with these alternative names is valid for ``host``, a name or an
    address. A wildcard stands for the whole first label (RFC 9525, 6.3)."""
    wanted = host.removesuffix(".").lower()
    try:
        address = ip_address(wanted)
    except ValueError:
        return any(_matches(name[4:].lower(), wanted) for name in names if name[:4] == "DNS:")
    given = (name.removeprefix("IP Address:") for name in names if name.startswith("IP Address:"))
    return any(ip_address(each.strip()) == address for each in given)


def _matches(pattern: str, host: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == host
    first, dot, rest = host.partition(".")
    return bool(first and dot) and rest == pattern[2:]
