"""What does DNS say of a name? One question, asked of the system's servers or of others.

Search domains and ``/etc/hosts`` are left out: a name is absolute. Answers too long for UDP are
asked for over TCP.
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
from dns.resolver import NXDOMAIN, Answer, NoNameservers, NoResolverConfiguration

from gateway.edge.resolved import DnsQuestion, DnsRecord, is_usable

Failure = Literal["timeout", "refused", "garbage", "unreachable"]
Outcome = Literal["ok", "empty"] | Failure
OUTCOMES: tuple[Outcome, ...] = ("ok", "empty", "timeout", "refused", "garbage", "unreachable")

_EDNS_BYTES = 1232
"""What passes everywhere without fragments (DNS Flag Day 2020)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the servers answered: the usable records of a name (none when it has none, or is not
    there), how many were unusable, and for how many seconds that holds."""

    records: tuple[DnsRecord, ...]
    unusable: int
    ttl_s: float


class NotAnsweredError(Exception):
    """Nothing is known from this question. ``outcome`` says why: ``timeout``, ``refused`` (every
    server said that it cannot tell: SERVFAIL, REFUSED), ``garbage`` (an answer, and nothing usable
    in it), ``unreachable`` (there is no server, or no way there)."""

    def __init__(self, outcome: Failure, detail: str) -> None:
        super().__init__(detail)
        self.outcome: Failure = outcome


async def look_up(
    question: DnsQuestion, resolvers: Sequence[tuple[str, int]], timeout_s: float
) -> Found:
    """Ask ``resolvers`` (addresses and ports; the system's when there are none) in turn.

    Raises :class:`NotAnsweredError`, after ``timeout_s`` at the latest.
    """
    try:
        asked = await asyncio.to_thread(_resolver, resolvers, timeout_s)
        async with asyncio.timeout(timeout_s):  # the library's own bound is a rough one
            answer = await asked.resolve(
                from_text(question.name), question.type, raise_on_no_answer=False, search=False
            )
    except NXDOMAIN:
        return Found((), 0, 0.0)
    except NoNameservers as error:
        raise NotAnsweredError("refused", str(error)) from error
    except (Timeout, TimeoutError) as error:
        raise NotAnsweredError("timeout", str(error)) from error
    except NoResolverConfiguration as error:
        raise NotAnsweredError("unreachable", str(error)) from error
    except (DNSException, ValueError) as error:
        raise NotAnsweredError("garbage", f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise NotAnsweredError("unreachable", str(error)) from error
    return _found(answer)


def _resolver(resolvers: Sequence[tuple[str, int]], timeout_s: float) -> Resolver:
    """Made anew for each question: the system's servers may have changed."""
    made = Resolver(configure=not resolvers)
    if resolvers:
        made.nameservers = [Do53Nameserver(address, port) for address, port in resolvers]
    made.use_edns(0, 0, _EDNS_BYTES)
    made.flags = Flag.RD
    made.lifetime = timeout_s
    made.timeout = timeout_s / 3
    return made


def _found(answer: Answer) -> Found:
    """Raises NotAnsweredError when there are records, and none that can be used."""
    given = [_record(data) for data in (answer.rrset or ())]
    told = [record for record in given if record is not None]
    usable = tuple(record for record in told if is_usable(record))
    unusable = len(told) - len(usable)
    if unusable and not usable:
        raise NotAnsweredError("garbage", f"no usable record: {_shown(told)}")
    return Found(usable, unusable, float(answer.chaining_result.minimum_ttl))


def _record(data: Rdata) -> DnsRecord | None:
    """None for an SRV record without a target: the service is not there (RFC 2782)."""
    match data:
        case A() | AAAA():
            return DnsRecord(data.address)
        case SRV():
            host = data.target.to_text(omit_final_dot=True).lower()
            return None if host == "." else DnsRecord(host, data.port, data.priority, data.weight)
        case _:
            raise NotAnsweredError("garbage", f"a record of another type: {data.rdtype!r}")


def _shown(records: Iterable[DnsRecord]) -> str:
    return ", ".join(sorted(repr(record.host) for record in records))[:200]
