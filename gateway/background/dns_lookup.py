"""Resolve one DNS question with the system's servers or with given ones.

Names are absolute: search domains and ``/etc/hosts`` are not used. A truncated UDP answer is
repeated over TCP.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dns.asyncresolver import Resolver
from dns.exception import DNSException, Timeout
from dns.flags import Flag
from dns.name import from_text
from dns.nameserver import Do53Nameserver
from dns.rdata import Rdata
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV
from dns.resolver import NXDOMAIN, NoNameservers, NoResolverConfiguration
from dns.resolver import Answer as DnsAnswer

from gateway.edge.resolved import DnsQuestion, DnsRecord, is_usable

DnsFailure = Literal["timeout", "refused", "garbage", "unreachable"]
DnsOutcome = Literal["ok", "empty"] | DnsFailure

_EDNS_BYTES = 1232
"""A UDP payload that is not fragmented on common paths (DNS Flag Day 2020)."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the servers answered: the usable records (none when the name has none or does not
    exist), the number of unusable ones, and the TTL in seconds."""

    records: tuple[DnsRecord, ...]
    unusable: int
    ttl_s: float


class ResolutionError(Exception):
    """The question got no usable answer. ``outcome`` says why: ``timeout``, ``refused`` (every
    server answered SERVFAIL or REFUSED), ``garbage`` (an answer without a usable record),
    ``unreachable`` (no server, or no route to one)."""

    def __init__(self, outcome: DnsFailure, detail: str) -> None:
        super().__init__(detail)
        self.outcome: DnsFailure = outcome


async def look_up(
    question: DnsQuestion, resolvers: Sequence[tuple[str, int]], timeout_s: float
) -> Resolution:
    """Ask ``resolvers`` (addresses and ports; the system's when empty) in turn.

    Raises :class:`ResolutionError`, after ``timeout_s`` at the latest.
    """
    try:
        asked = await asyncio.to_thread(_resolver, resolvers, timeout_s)
        async with asyncio.timeout(timeout_s):  # the library's own bound is only approximate
            answer = await asked.resolve(
                from_text(question.name), question.type, raise_on_no_answer=False, search=False
            )
    except NXDOMAIN:
        return Resolution((), 0, 0.0)
    except NoNameservers as error:
        raise ResolutionError("refused", str(error)) from error
    except (Timeout, TimeoutError) as error:
        raise ResolutionError("timeout", str(error)) from error
    except NoResolverConfiguration as error:
        raise ResolutionError("unreachable", str(error)) from error
    except (DNSException, ValueError) as error:
        raise ResolutionError("garbage", f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise ResolutionError("unreachable", str(error)) from error
    return _found(answer)


def _resolver(resolvers: Sequence[tuple[str, int]], timeout_s: float) -> Resolver:
    """A new resolver for each question: the system's servers may have changed."""
    made = Resolver(configure=not resolvers)
    if resolvers:
        made.nameservers = [Do53Nameserver(address, port) for address, port in resolvers]
    made.use_edns(0, 0, _EDNS_BYTES)
    made.flags = Flag.RD
    made.lifetime = timeout_s
    made.timeout = timeout_s / 3
    return made


def _found(answer: DnsAnswer) -> Resolution:
    """Raises ResolutionError when there are records but none is usable."""
    given = [_record(data) for data in (answer.rrset or ())]
    records = [record for record in given if record is not None]
    usable = tuple(record for record in records if is_usable(record))
    unusable = len(records) - len(usable)
    if unusable and not usable:
        raise ResolutionError("garbage", f"no usable record: {_shown(records)}")
    return Resolution(usable, unusable, float(answer.chaining_result.minimum_ttl))


def _record(data: Rdata) -> DnsRecord | None:
    """None for an SRV record without a target: no such service (RFC 2782)."""
    match data:
        case A() | AAAA():
            return DnsRecord(data.address)
        case SRV():
            host = data.target.to_text(omit_final_dot=True).lower()
            return None if host == "." else DnsRecord(host, data.port, data.priority, data.weight)
        case _:
            raise ResolutionError("garbage", f"a record of another type: {data.rdtype!r}")


def _shown(records: Iterable[DnsRecord]) -> str:
    return ", ".join(sorted(repr(record.host) for record in records))[:200]
