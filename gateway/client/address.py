"""Which address does this request come from? (rule F9, RFC 7239)

The peer of the connection is the client, unless it is a trusted proxy. Then the proxy's
``Forwarded`` or ``X-Forwarded-For`` is read from right to left: elements written by trusted proxies
are believed, and the first address that is not a trusted proxy is the client. Elements further left
were written by the client itself and are not read.

Decisions that F9 leaves open:

- ``Forwarded`` is preferred when its last element has a ``for``. When a proxy only writes ``proto``
  into it, the addresses come from ``X-Forwarded-For``. A trusted proxy must therefore remove, or
  append to, each of the two headers that it receives. When both headers name different clients, a
  reason says so.
- An element that is ``unknown``, obfuscated (``_id``) or malformed ends the search, and the
  client's address is unknown. Using a proxy's own address instead would be wrong.
- When all elements are trusted proxies, the leftmost one is the client: the request comes from
  inside the trusted networks.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import islice
from typing import Literal, NamedTuple, Self

from gateway.reason import Reason, Step

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Via = Literal["peer", "forwarded", "x-forwarded-for"]

MAX_HOPS = 32
"""The most list elements that are read, including empty ones."""
MAX_ELEMENT = 512
"""The most characters of one list element; a longer one counts as malformed."""

_OCTETS = {str(octet): octet for octet in range(256)}
_NODE = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[^\]]*)?)\]|(?P<v4>[0-9.]+))"
    r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
)
_PAIR = re.compile(
    r"[ \t]*+(?:(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]++)[ \t]*+=[ \t]*+"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<token>[^\s;,"]*+)))?[ \t]*+(?:;|\Z)'
)
_PROTO = re.compile(r'(?:\A|;)[ \t]*proto[ \t]*=[ \t]*"?([A-Za-z]{1,10})', re.IGNORECASE)
_HAS_FOR = re.compile(r"(?:\A|;)[ \t]*for[ \t]*=", re.IGNORECASE)
_MAPPED = IPv6Network("::ffff:0:0/96")
_MAPPED_BITS = 96


def _because(code: str, text: str) -> tuple[Reason]:
    return (Reason(Step.ADDRESS, code, text),)


_PEER = _because("peer", "the address of the connection")
_PEER_UNKNOWN = _because("peer-unknown", "the connection has no IP address")
_PEER_UNTRUSTED = _because(
    "peer-untrusted", "the peer is not a trusted proxy; its forwarding headers are ignored"
)
_NO_FORWARDED_ADDRESS = _because("peer", "the trusted proxy sent no forwarding header")
_DISAGREE = _because(
    "forwarding-headers-disagree",
    "X-Forwarded-For names another client than Forwarded; Forwarded is used",
)
_TOO_MANY_HOPS = _because(
    "too-many-hops", f"the forwarding header has more than {MAX_HOPS} elements"
)
_HIDDEN = _because("address-hidden", "a trusted proxy does not name the client's address")
_ALL_TRUSTED = _because(
    "all-hops-trusted", "all forwarded addresses are trusted proxies; the first one is used"
)
_FIRST_UNTRUSTED: dict[Via, tuple[Reason]] = {
    via: _because(via, "the last forwarded address that is not a trusted proxy")
    for via in ("forwarded", "x-forwarded-for")
}


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks whose forwarding headers are trusted.

    ``masks`` is an index: for each class of addresses, pairs of (host bits, network prefixes). A
    membership test takes one set lookup per prefix length, however many networks there are.
    """

    networks: tuple[Network, ...]
    masks: dict[type[Address], tuple[tuple[int, frozenset[int]], ...]]

    @classmethod
    def of(cls, cidrs: Iterable[str]) -> Self:
        """Build from CIDR texts such as ``10.0.0.0/8``; an address alone is a network of one.

        An IPv4-mapped IPv6 network counts as the IPv4 network.

        Raises:
            ValueError: a text is not a network, or has host bits set. The message names the text.
        """
        networks = tuple(_unmapped_network(ip_network(text.strip())) for text in cidrs)
        prefixes: dict[type[Address], dict[int, set[int]]] = {IPv4Address: {}, IPv6Address: {}}
        for network in networks:
            bits = network.max_prefixlen - network.prefixlen
            start = int(network.network_address) >> bits
            prefixes[type(network.network_address)].setdefault(bits, set()).add(start)
        masks = {
            kind: tuple((bits, frozenset(starts)) for bits, starts in sorted(by_bits.items()))
            for kind, by_bits in prefixes.items()
        }
        return cls(networks, masks)

    def __contains__(self, ip: Address) -> bool:
        """Whether ``ip``, which must not be IPv4-mapped, is in one of the networks."""
        number = int(ip)
        for bits, starts in self.masks[type(ip)]:  # noqa: SIM110 - half the cost of any()
            if number >> bits in starts:
                return True
        return False


class ClientAddress(NamedTuple):
    """Where the request comes from. ``ip`` is None when the address is unknown.

    ``reasons`` contain no address and no text from players, because they reach logs and answers.
    """

    ip: Address | None
    via: Via
    reasons: tuple[Reason, ...] = ()


def resolve(
    peer: str | None,
    forwarded: Sequence[str],
    x_forwarded_for: Sequence[str],
    trusted: TrustedProxies,
) -> ClientAddress:
    """Find the client's address (F9). Never raises.

    ``peer`` is the address of the connection. It is None for a connection without one (a Unix
    socket), which is never trusted. ``forwarded`` and ``x_forwarded_for`` are the field lines of
    the headers in the order received. IPv4-mapped addresses become IPv4 addresses; zone ids and
    ports are dropped.
    """
    ip = _node(peer) if peer is not None else None
    if ip is None:
        return ClientAddress(None, "peer", _PEER_UNKNOWN)
    if ip not in trusted:
        ignored = forwarded or x_forwarded_for
        return ClientAddress(ip, "peer", _PEER_UNTRUSTED if ignored else _PEER)
    found = _walk(x_forwarded_for, _unquoted, "x-forwarded-for", trusted)
    if forwarded and _names_clients(forwarded):
        by_xff, found = found, _walk(forwarded, _for, "forwarded", trusted)
        if found is not None and by_xff is not None and by_xff.ip != found.ip:
            found = ClientAddress(found.ip, found.via, (*found.reasons, *_DISAGREE))
    return found or ClientAddress(ip, "peer", _NO_FORWARDED_ADDRESS)


def is_https(
    peer: str | None,
    forwarded: Sequence[str],
    x_forwarded_proto: str | None,
    trusted: TrustedProxies,
) -> bool:
    """Whether a trusted proxy says that the client has reached it over TLS: in the last element of
    ``X-Forwarded-Proto``, else of ``Forwarded``. Never raises."""
    said = (x_forwarded_proto or "").rpartition(",")[2].strip().lower()
    if not said and forwarded:
        nearest = next(filter(None, islice(_elements(forwarded), MAX_HOPS)), "")
        found = _PROTO.search(nearest)
        said = "" if found is None else found[1].lower()
    if said != "https" or peer is None:
        return False
    ip = _node(peer)
    return ip is not None and ip in trusted


def viewer_prefix(ip: Address) -> str:
    """The /24 (IPv4) or /56 (IPv6) network of ``ip``, as CIDR text.

    It identifies a viewer without a session, so that one household stays on one edge. It must not
    leave the process.
    """
    number = int(ip)
    if isinstance(ip, IPv4Address):
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.0/24"
    # The zeros at the end are the longest run of zeros, so "::" replaces them.
    groups = [number >> 112, number >> 96 & 0xFFFF, number >> 80 & 0xFFFF, number >> 64 & 0xFF00]
    while groups and not groups[-1]:
        groups.pop()
    return f"{':'.join([f'{group:x}' for group in groups])}::/56"


def _walk(
    lines: Sequence[str], read: Callable[[str], str], via: Via, trusted: TrustedProxies
) -> ClientAddress | None:
    """The client's address by one header, read from the right; None when it has no elements."""
    ip: Address | None = None
    for count, element in enumerate(_elements(lines)):
        if count == MAX_HOPS:
            return ClientAddress(None, via, _TOO_MANY_HOPS)
        if not element:
            continue  # RFC 9110 5.6.1: empty list elements are ignored
        ip = _node(read(element))
        if ip is None:
            return ClientAddress(None, via, _HIDDEN)
        if ip not in trusted:
            return ClientAddress(ip, via, _FIRST_UNTRUSTED[via])
    if ip is None:
        return None
    return ClientAddress(ip, via, _ALL_TRUSTED)


def _names_clients(forwarded: Sequence[str]) -> bool:
    """Whether the last element of ``Forwarded`` has a ``for``."""
    nearest = next(filter(None, islice(_elements(forwarded), MAX_HOPS)), "")
    return _HAS_FOR.search(nearest) is not None


def _elements(lines: Sequence[str]) -> Iterable[str]:
    """The list elements of a header, last first; field lines are joined in order."""
    if len(lines) == 1 and "," not in lines[0]:  # what a single proxy sends
        return (lines[0].strip(),)
    return _split(lines)


def _split(lines: Sequence[str]) -> Iterator[str]:
    """:func:`_elements` of any lines.

    Reading from the right keeps text that a client wrote at the left, such as an unbalanced quote,
    from hiding what a trusted proxy appended.
    """
    for line in reversed(lines):
        if "," not in line:
            yield line.strip()
            continue
        end: int | None = len(line)
        while end is not None:
            start = _last_comma(line, end)
            yield line[start + 1 : end].strip()
            end = start if start >= 0 else None


def _last_comma(line: str, end: int) -> int:
    """The position of the last comma before ``end`` that is not inside quotes; -1 without one.

    Only as many characters are searched as the longest allowed element has.
    """
    first = max(0, end - MAX_ELEMENT - 1)
    comma = line.rfind(",", first, end)
    quote = line.rfind('"', comma + 1, end)
    while quote >= first:
        opening = line.rfind('"', first, quote)
        while opening > first and line[opening - 1] == "\\":
            opening = line.rfind('"', first, opening)
        if opening < first:
            return -1  # an unbalanced quote: the rest is one malformed element
        comma = line.rfind(",", first, opening)
        quote = line.rfind('"', max(first, comma + 1), opening)
    return comma


def _for(element: str) -> str:
    """The ``for`` of a ``Forwarded`` element; ``unknown`` when it has none or is malformed."""
    found = ""
    position = 0
    while position < len(element) <= MAX_ELEMENT:
        pair = _PAIR.match(element, position)
        if pair is None:
            return "unknown"
        if pair["name"] is not None and pair["name"].lower() == "for":
            if found:
                return "unknown"  # RFC 7239 4: each parameter at most once
            quoted = pair["quoted"]
            found = pair["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = pair.end()
    return found or "unknown"


def _unquoted(element: str) -> str:
    """An ``X-Forwarded-For`` element without the quotes that some proxies put around it."""
    return element[1:-1] if element[0] == element[-1] == '"' else element


def _node(text: str) -> Address | None:
    """The address of an RFC 7239 6 node, or of a bare IPv6 address; None for anything else."""
    if len(text) > MAX_ELEMENT:
        return None
    ip = _quad(text)
    if ip is not None:
        return ip
    match = _NODE.fullmatch(text)
    bare = text if match is None else match["v6"] or match["v4"]
    if ":" not in bare:
        return _quad(bare)
    try:
        long = IPv6Address(bare.partition("%")[0])
    except ValueError:
        return None
    return long.ipv4_mapped or long


def _quad(text: str) -> IPv4Address | None:
    """The IPv4 address of a text; None for anything else. ``ip_address`` takes several times as
    long."""
    try:
        first, second, third, fourth = [_OCTETS[part] for part in text.split(".")]
    except (KeyError, ValueError):
        return None
    return IPv4Address(first << 24 | second << 16 | third << 8 | fourth)


def _unmapped_network(network: Network) -> Network:
    if isinstance(network, IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    start = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
    return IPv4Network((start, network.prefixlen - _MAPPED_BITS))
