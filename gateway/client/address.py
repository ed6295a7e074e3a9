"""Which address does this request come from? (rule F9, RFC 7239)

The peer of the connection is the client, unless it is a proxy that the operator trusts. Then the
proxy's ``Forwarded`` or ``X-Forwarded-For`` is read from right to left: what a trusted hop wrote
is believed, and the first address that is not trusted is the client. What stands left of that is
the client's own claim and is never read.

Decisions that F9 leaves open:

- ``Forwarded`` is preferred when its nearest element has a ``for``; a proxy that only tells
  ``proto`` in it leaves the addresses to ``X-Forwarded-For``. A trusted proxy must therefore
  strip, or append to, whichever of the two arrives. When both arrive and name different clients
  the choice is announced with a reason of its own.
- A hop that is ``unknown``, hidden behind an obfuscated ``_id``, or garbage ends the walk, and
  the client's address is unknown. A proxy's own address would be a guess about somebody else.
- When every hop is trusted the leftmost one is the client: somebody inside is asking.
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
"""List elements, empty ones included, that are read before the walk gives up."""
MAX_ELEMENT = 512
"""Characters of one list element; a longer one is garbage."""

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_QUAD = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_NODE = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[^\]]*)?)\]|(?P<v4>[0-9.]+))"
    r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
)
_PAIR = re.compile(
    r"[ \t]*(?:(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*=[ \t]*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<token>[^\s;,"]*)))?[ \t]*(?:;|\Z)'
)
_HAS_FOR = re.compile(r"(?:\A|;)[ \t]*for[ \t]*=", re.IGNORECASE)
_MAPPED = IPv6Network("::ffff:0:0/96")
_MAPPED_BITS = 96


def _because(code: str, text: str) -> tuple[Reason]:
    return (Reason(Step.ADDRESS, code, text),)


_PEER = _because("peer", "the address of the connection")
_PEER_UNKNOWN = _because("peer-unknown", "the connection has no IP address")
_PEER_UNTRUSTED = _because(
    "peer-untrusted", "the peer is not a trusted proxy: its forwarding headers are ignored"
)
_FORWARDS_FOR_NOBODY = _because("peer", "the trusted proxy forwards for nobody")
_DISAGREE = _because(
    "forwarding-headers-disagree",
    "X-Forwarded-For names another client than Forwarded, which decides",
)
_TOO_MANY_HOPS = _because("too-many-hops", f"more than {MAX_HOPS} hops")
_HIDDEN = _because("address-hidden", "a trusted proxy names no address")
_ALL_TRUSTED = _because("all-hops-trusted", "every hop is a trusted proxy: the farthest counts")
_FIRST_UNTRUSTED: dict[Via, tuple[Reason]] = {
    via: _because(via, "the first hop that is not a trusted proxy")
    for via in ("forwarded", "x-forwarded-for")
}


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The networks whose forwarding headers are believed.

    ``masks`` is the index: for each IP version the pairs of (host bits, network prefixes), so that
    membership costs one set look-up per prefix length, however many networks there are.
    """

    networks: tuple[Network, ...]
    masks: dict[int, tuple[tuple[int, frozenset[int]], ...]]

    @classmethod
    def of(cls, cidrs: Iterable[str]) -> Self:
        """Build from CIDR texts such as ``10.0.0.0/8``; a bare address is a network of one.

        An IPv4-mapped IPv6 network is the IPv4 network that it maps.

        Raises:
            ValueError: a text is no network, or has host bits set. The message names the text.
        """
        networks = tuple(_unmapped_network(ip_network(text.strip())) for text in cidrs)
        prefixes: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in networks:
            bits = network.max_prefixlen - network.prefixlen
            start = int(network.network_address) >> bits
            prefixes[network.version].setdefault(bits, set()).add(start)
        masks = {
            version: tuple((bits, frozenset(starts)) for bits, starts in sorted(by_bits.items()))
            for version, by_bits in prefixes.items()
        }
        return cls(networks, masks)

    def __contains__(self, ip: Address) -> bool:
        """Is ``ip`` (unmapped) in one of the networks?"""
        number = int(ip)
        for bits, starts in self.masks[ip.version]:  # noqa: SIM110 - half the cost of any()
            if number >> bits in starts:
                return True
        return False


class ClientAddress(NamedTuple):
    """Where the request comes from. ``ip`` None: the address is not known.

    ``reasons`` hold no address and no player text: they reach logs and answers.
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

    ``peer`` is the address of the connection, None for one that has none (a Unix socket), which
    is never trusted. ``forwarded`` and ``x_forwarded_for`` are the header's field lines, in the
    order received. IPv4-mapped addresses come out as IPv4, zone ids and ports are dropped.
    """
    ip = _node(peer) if peer is not None else None
    if ip is None:
        return ClientAddress(None, "peer", _PEER_UNKNOWN)
    if ip not in trusted:
        unheard = forwarded or x_forwarded_for
        return ClientAddress(ip, "peer", _PEER_UNTRUSTED if unheard else _PEER)
    told = _walk(x_forwarded_for, _unquoted, "x-forwarded-for", trusted)
    if forwarded and _names_clients(forwarded):
        by_xff, told = told, _walk(forwarded, _for, "forwarded", trusted)
        if told is not None and by_xff is not None and by_xff.ip != told.ip:
            told = ClientAddress(told.ip, told.via, (*told.reasons, *_DISAGREE))
    return told or ClientAddress(ip, "peer", _FORWARDS_FOR_NOBODY)


def viewer_prefix(ip: Address) -> str:
    """The /24 (IPv4) or /56 (IPv6) around ``ip``, as CIDR text.

    It names a viewer without a session well enough to keep one household on one edge. It must
    not leave the process.
    """
    number = int(ip)
    if isinstance(ip, IPv4Address):
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.0/24"
    # The zeros at the end are the longest run of them, which is what "::" stands for.
    groups = [number >> 112, number >> 96 & 0xFFFF, number >> 80 & 0xFFFF, number >> 64 & 0xFF00]
    while groups and not groups[-1]:
        groups.pop()
    return f"{':'.join([f'{group:x}' for group in groups])}::/56"


def _walk(
    lines: Sequence[str], read: Callable[[str], str], via: Via, trusted: TrustedProxies
) -> ClientAddress | None:
    """Follow the hops of one header, nearest first; None when there is not one."""
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
    """Does the nearest proxy write a ``for`` into ``Forwarded``?"""
    nearest = next(filter(None, islice(_elements(forwarded), MAX_HOPS)), "")
    return _HAS_FOR.search(nearest) is not None


def _elements(lines: Sequence[str]) -> Iterator[str]:
    """The list elements of a header, last first; several field lines join in order.

    It reads from the right so that what a client wrote at the left, such as an unbalanced quote,
    cannot swallow what a trusted proxy appended.
    """
    for line in reversed(lines):
        end: int | None = len(line)
        while end is not None:
            start = _last_comma(line, end)
            yield line[start + 1 : end].strip()
            end = start if start >= 0 else None


def _last_comma(line: str, end: int) -> int:
    """The position of the last comma before ``end`` that is not inside quotes, else -1.

    It looks no farther than the longest element: what has no comma there is garbage anyway.
    """
    first = max(0, end - MAX_ELEMENT - 1)
    comma = line.rfind(",", first, end)
    quote = line.rfind('"', comma + 1, end)
    while quote >= first:
        opening = line.rfind('"', first, quote)
        while opening > first and line[opening - 1] == "\\":
            opening = line.rfind('"', first, opening)
        if opening < first:
            return -1  # unbalanced: all of the rest is one element, and garbage
        comma = line.rfind(",", first, opening)
        quote = line.rfind('"', max(first, comma + 1), opening)
    return comma


def _for(element: str) -> str:
    """The ``for`` of one ``Forwarded`` element; ``unknown`` when it has none or is malformed."""
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
    if _QUAD.fullmatch(text):
        return _quad(text)
    match = _NODE.fullmatch(text)
    bare = text if match is None else match["v6"] or match["v4"]
    if ":" not in bare:
        return _quad(bare) if _QUAD.fullmatch(bare) else None
    try:
        ip = IPv6Address(bare.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip


def _quad(text: str) -> IPv4Address:
    """Of four numbers that are right: five times as quick as ``ip_address``."""
    return IPv4Address(bytes(map(int, text.split("."))))


def _unmapped_network(network: Network) -> Network:
    if isinstance(network, IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    start = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
    return IPv4Network((start, network.prefixlen - _MAPPED_BITS))
