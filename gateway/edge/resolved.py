"""Which edges are behind a DNS name?

An ``[[edges]]`` table with ``dns`` is a template: each record of the name gives one edge. Its id is
``{template}-{host}``: the host is the address (with hyphens for colons) or the target of the SRV
record, followed by the port when that is not the scheme's default. An id depends only on its own
record, so when an address comes or goes, only the viewers of that edge move.

SRV records are used as RFC 2782 says: only those with the lowest priority. A weight of 100 is the
template's own weight, and other weights are relative to it. When all weights are 0, the edges are
equal.

The last known records are kept while DNS does not answer. When DNS answers that a name has no
records any more, its edges are kept for a while as well, because this is usually a mistake.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from ipaddress import IPv4Address, ip_address
from re import compile as pattern
from typing import Final, Literal
from urllib.parse import urlsplit

from gateway.edge.edge import Edge

RecordType = Literal["A", "AAAA", "SRV"]

MAX_RECORDS: Final = 256
"""The most records of one name that are used."""

_MAX_ID_CHARS: Final = 64
_DIGEST_BYTES: Final = 4
_FULL_WEIGHT: Final = 100
_PORTS: Final = {"http": 80, "https": 443}
_BROADCAST: Final = IPv4Address("255.255.255.255")
_HOST_NAME: Final = pattern(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_MAX_HOST_CHARS: Final = 253


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """A DNS question. ``name`` is absolute, with or without a dot at its end."""

    name: str
    type: RecordType


@dataclass(frozen=True, slots=True, order=True)
class DnsRecord:
    """One record. ``host`` is an address, or a lower-case name without the dot at its end. ``port``
    is None for addresses. ``priority`` and ``weight`` are those of SRV."""

    host: str
    port: int | None = None
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class EdgeTemplate:
    """An edge whose host comes from DNS. ``edge`` has all other values, and is used as it is until
    DNS has answered for the first time."""

    edge: Edge
    question: DnsQuestion


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """What is known of a name. ``records`` is None before the first answer. ``empty_since_s`` is
    the time of a monotonic clock at which the name was first found to have no records any more."""

    records: tuple[DnsRecord, ...] | None = None
    empty_since_s: float | None = None


def after_answer(
    known: KnownRecords, records: Sequence[DnsRecord], now_s: float, keep_s: float
) -> KnownRecords:
    """What is known after an answer.

    An empty answer counts at once when no records were known, otherwise after ``keep_s`` seconds
    without records.
    """
    if records:
        return KnownRecords(tuple(sorted(set(records))[:MAX_RECORDS]))
    if not known.records:
        return KnownRecords(())
    since_s = now_s if known.empty_since_s is None else known.empty_since_s
    if now_s - since_s >= keep_s:
        return KnownRecords((), since_s)
    return replace(known, empty_since_s=since_s)


def is_usable(record: DnsRecord) -> bool:
    """Whether a URL can be made from the record and players can be sent there."""
    if record.port is not None and not 0 < record.port <= 65535:  # noqa: PLR2004
        return False
    try:
        address = ip_address(record.host)
    except ValueError:
        short = len(record.host) <= _MAX_HOST_CHARS
        return short and _HOST_NAME.fullmatch(record.host) is not None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_unspecified or address.is_multicast or "%" in record.host:
        return False
    # No player reaches a link-local address, but a probe would reach a cloud's metadata service.
    return not address.is_link_local and address != _BROADCAST


def edges_of(template: EdgeTemplate, known: KnownRecords) -> tuple[Edge, ...]:
    """The edges that the template gives, in the order of their hosts."""
    if known.records is None:
        return (template.edge,)
    best = min((record.priority for record in known.records), default=0)
    used = [record for record in known.records if record.priority == best]
    weighted = any(record.weight for record in used)
    return tuple(
        _edge(template.edge, record, _weight(template.edge, record) if weighted else None)
        for record in used
    )


def _weight(edge: Edge, record: DnsRecord) -> int:
    """At least 1: an SRV weight of 0 means a very small chance of being chosen (RFC 2782)."""
    return max(1, round(edge.weight * record.weight / _FULL_WEIGHT))


def _edge(template: Edge, record: DnsRecord, weight: int | None) -> Edge:
    parts = urlsplit(template.url)
    port = parts.port if record.port is None else record.port
    shown = "" if port is None or port == _PORTS.get(parts.scheme) else f":{port}"
    host = f"[{record.host}]" if ":" in record.host else record.host
    return replace(
        template,
        id=_id(template.id, record, shown),
        url=parts._replace(netloc=host + shown).geturl(),
        health_url=_with_host(template.health_url, parts.netloc, host + shown),
        weight=template.weight if weight is None else weight,
        template=template.id,
    )


def _with_host(health_url: str | None, template_host: str, host: str) -> str | None:
    """An absolute URL on the template's own host gets the edge's host; other URLs stay."""
    parts = urlsplit(health_url or "")
    return health_url if parts.netloc != template_host else parts._replace(netloc=host).geturl()


def _id(template: str, record: DnsRecord, port: str) -> str:
    """At most 64 characters; a longer id is cut and ends with a digest of the whole id."""
    whole = f"{template}-{record.host}" + ("" if record.port is None else port)
    text = whole.replace(":", "-")
    if len(text) <= _MAX_ID_CHARS:
        return text
    digest = blake2b(whole.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{text[: _MAX_ID_CHARS - len(digest) - 1]}-{digest}"
