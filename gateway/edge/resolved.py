"""Which edges stand behind a DNS name?

A table of the config with ``dns`` is a template: each record of the name gives one edge. Its id is
``{template}-{host}``, where the host is the address (colons written as hyphens) or the target of an
SRV record, with the port behind it where that is not the scheme's own. An id depends on nothing but
its own record, so an address that comes or goes moves its own share of the viewers only.

Records of an SRV name follow RFC 2782: only those of the lowest priority are used. A weight of 100
is the template's own weight, others are in proportion; where all weights are 0 the edges are equal.

What was known stays while nobody can be asked. A name that has no records any more keeps its edges
for a while, too: that is rarely meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from ipaddress import ip_address
from re import compile as pattern
from typing import Final, Literal
from urllib.parse import urlsplit

from gateway.edge.edge import Edge

RecordType = Literal["A", "AAAA", "SRV"]

MAX_RECORDS: Final = 256
"""So many records of one name are used at most."""

_MAX_ID_CHARS: Final = 64
_DIGEST_BYTES: Final = 4
_WHOLE_WEIGHT: Final = 100
_PORTS: Final = {"http": 80, "https": 443}
_HOST_NAME: Final = pattern(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_MAX_HOST_CHARS: Final = 253


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of DNS. ``name`` is absolute, whether it ends with a dot or not."""

    name: str
    type: RecordType


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """One record. ``host`` is an address, or a lower-case name without its last dot; ``port``
    is None for addresses. ``priority`` and ``weight`` are those of SRV."""

    host: str
    port: int | None = None
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """An edge whose host comes from DNS. ``edge`` holds all the rest; until the first answer it
    stands for its edges itself."""

    edge: Edge
    question: Question


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a name. ``records`` is None before the first answer; ``empty_since_s`` is
    when the name was first found to have none any more, on a clock that never goes back."""

    records: tuple[Record, ...] | None = None
    empty_since_s: float | None = None


def heard(known: Known, records: Sequence[Record], now_s: float, keep_s: float) -> Known:
    """What is known after an answer. An empty one counts at once when nothing was known before,
    else after ``keep_s`` seconds without records."""
    if records:
        return Known(tuple(sorted(set(records))[:MAX_RECORDS]))
    if not known.records:
        return Known(())
    since_s = now_s if known.empty_since_s is None else known.empty_since_s
    if now_s - since_s >= keep_s:
        return Known((), since_s)
    return replace(known, empty_since_s=since_s)


def is_usable(record: Record) -> bool:
    """Whether a URL can be made of it, and a player can be sent there."""
    if record.port is not None and not 0 < record.port <= 65535:  # noqa: PLR2004
        return False
    try:
        address = ip_address(record.host)
    except ValueError:
        short = len(record.host) <= _MAX_HOST_CHARS
        return short and _HOST_NAME.fullmatch(record.host) is not None
    return not (address.is_unspecified or address.is_multicast) and "%" not in record.host


def edges_of(template: Template, known: Known) -> tuple[Edge, ...]:
    """The edges that the template stands for, in the order of their hosts."""
    if known.records is None:
        return (template.edge,)
    best = min((record.priority for record in known.records), default=0)
    used = [record for record in known.records if record.priority == best]
    weighted = any(record.weight for record in used)
    return tuple(
        _edge(template.edge, record, _weight(template.edge, record) if weighted else None)
        for record in used
    )


def _weight(edge: Edge, record: Record) -> int:
    """0 is a very small chance, and not none (RFC 2782)."""
    return max(1, round(edge.weight * record.weight / _WHOLE_WEIGHT))


def _edge(template: Edge, record: Record, weight: int | None) -> Edge:
    parts = urlsplit(template.url)
    port = parts.port if record.port is None else record.port
    shown = "" if port is None or port == _PORTS.get(parts.scheme) else f":{port}"
    host = f"[{record.host}]" if ":" in record.host else record.host
    return replace(
        template,
        id=_id(template.id, record, shown),
        url=parts._replace(netloc=host + shown).geturl(),
        health_url=_moved(template.health_url, parts.netloc, host + shown),
        weight=template.weight if weight is None else weight,
        template=template.id,
    )


def _moved(health_url: str | None, netloc: str, there: str) -> str | None:
    """An absolute URL of the template's own host follows it; others stay."""
    parts = urlsplit(health_url or "")
    return health_url if parts.netloc != netloc else parts._replace(netloc=there).geturl()


def _id(template: str, record: Record, port: str) -> str:
    """At most 64 characters; what does not fit is told apart by a digest of the whole."""
    whole = f"{template}-{record.host}" + ("" if record.port is None else port)
    text = whole.replace(":", "-")
    if len(text) <= _MAX_ID_CHARS:
        return text
    digest = blake2b(whole.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{text[: _MAX_ID_CHARS - len(digest) - 1]}-{digest}"
