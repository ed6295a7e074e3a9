"""Resolve one DNS question with the system's servers or with given ones.

Names are absolute: search domains and ``/etc/hosts`` are not used. A truncated UDP answer is
repeated over TCP.

Reading an answer takes up to 10 ms for each record, because compressed names expand. So answers are
read in a thread, and only up to ``MAX_ANSWER_RECORDS`` records.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dns.asyncresolver import Resolver
from dns.exception import DNSException, FormError, Timeout
from dns.flags import Flag
from dns.message import Message, QueryMessage, Truncated, from_wire
from dns.name import from_text
from dns.nameserver import Do53Nameserver, Nameserver
from dns.query import BadResponse
from dns.rdata import Rdata
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV
from dns.resolver import NXDOMAIN, NoNameservers, NoResolverConfiguration
from dns.resolver import Answer as DnsAnswer

from gateway.edge.resolved import DnsQuestion, DnsRecord, is_usable
from gateway.offload import offload

DnsFailure = Literal["timeout", "refused", "garbage", "unreachable"]
DnsOutcome = Literal["ok", "empty"] | DnsFailure

_EDNS_BYTES = 1232
"""A UDP payload that is not fragmented on common paths (DNS Flag Day 2020)."""
MAX_ANSWER_RECORDS = 600
"""Records of an answer in all sections. ``MAX_RECORDS`` services and their addresses fit."""
_HEADER_BYTES = 12
_MAX_WAITING = 16
"""Datagrams that wait to be read."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the servers answered: the usable records (none when the name has none or does not
    exist), the number of unusable ones, and the TTL in seconds."""

    records: tuple[DnsRecord, ...]
    unusable: int
    ttl_s: float


class ResolutionError(Exception):
    """The question got no usable answer. ``outcome`` says why: ``timeout``, ``refused`` (every
    server answered SERVFAIL or REFUSED), ``garbage`` (an answer without a usable record, of which
    ``unusable`` are there), ``unreachable`` (no server, or no route to one)."""

    def __init__(self, outcome: DnsFailure, detail: str, unusable: int = 0) -> None:
        super().__init__(detail)
        self.outcome: DnsFailure = outcome
        self.unusable = unusable


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
        tried = [each[3] for each in error.kwargs.get("errors", ())]
        raise ResolutionError(_failure_of(tried), str(error)) from error
    except (Timeout, TimeoutError) as error:
        raise ResolutionError("timeout", str(error)) from error
    except NoResolverConfiguration as error:
        raise ResolutionError("unreachable", str(error)) from error
    except (DNSException, ValueError) as error:
        raise ResolutionError("garbage", f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise ResolutionError("unreachable", str(error)) from error
    return _found(answer)


def _failure_of(tried: Sequence[object]) -> DnsFailure:
    """What the answers of all servers that were asked come to."""
    if any(isinstance(each, TooManyRecordsError) for each in tried):
        return "garbage"
    if tried and all(isinstance(each, OSError) for each in tried):
        return "unreachable"
    return "refused"


def _resolver(resolvers: Sequence[tuple[str, int]], timeout_s: float) -> Resolver:
    """A new resolver for each question: the system's servers may have changed."""
    made = Resolver(configure=not resolvers)
    if resolvers:
        made.nameservers = [_BoundedServer(address, port) for address, port in resolvers]
    else:
        made.nameservers = [
            each if isinstance(each, Nameserver) else _BoundedServer(each, made.port)
            for each in made.nameservers
        ]
    made.use_edns(0, 0, _EDNS_BYTES)
    made.flags = Flag.RD
    made.lifetime = timeout_s
    made.timeout = timeout_s / 3
    return made


class TooManyRecordsError(FormError):
    """An answer with more than ``MAX_ANSWER_RECORDS`` records, which is not read."""


class _BoundedServer(Do53Nameserver):
    """A server whose answers are bounded."""

    async def async_query(  # the library's own interface
        self,
        request: QueryMessage,
        timeout: float,  # noqa: ASYNC109
        source: str | None,  # noqa: ARG002
        source_port: int,  # noqa: ARG002
        max_size: bool,
        backend: object,  # noqa: ARG002
        one_rr_per_rrset: bool = False,  # noqa: ARG002
        ignore_trailing: bool = False,  # noqa: ARG002
    ) -> Message:
        """See ``dns.nameserver.Nameserver``. ``max_size`` asks for an answer over TCP."""
        wire = request.to_wire()
        try:
            async with asyncio.timeout(timeout):
                if max_size:
                    return await self._over_tcp(request, wire)
                return await self._over_udp(request, wire)
        except TimeoutError:
            raise Timeout(timeout=timeout) from None  # type: ignore[no-untyped-call]

    async def _over_udp(self, request: QueryMessage, wire: bytes) -> Message:
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[bytes | Exception] = asyncio.Queue(_MAX_WAITING)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(answers, wire[:2]), remote_addr=(self.address, self.port)
        )
        try:
            transport.sendto(wire)
            while True:
                answer = await answers.get()
                if isinstance(answer, Exception):
                    raise answer
                try:
                    return await _read(request, answer, tcp=False)
                except (Truncated, TooManyRecordsError):
                    raise
                except Exception:  # noqa: BLE001, S112  # no answer: wait for one
                    continue
        finally:
            transport.close()

    async def _over_tcp(self, request: QueryMessage, wire: bytes) -> Message:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(wire).to_bytes(2) + wire)
            await writer.drain()
            length = int.from_bytes(await reader.readexactly(2))
            return await _read(request, await reader.readexactly(length), tcp=True)
        except EOFError as error:
            raise BadResponse("the answer ends early") from error  # type: ignore[no-untyped-call]
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Queues the datagrams that answer the query with this id."""

    def __init__(self, answers: asyncio.Queue[bytes | Exception], identity: bytes) -> None:
        self._answers = answers
        self._identity = identity

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        if data[:2] == self._identity:
            self._put(data)

    def error_received(self, exc: Exception) -> None:
        self._put(exc)

    def _put(self, each: bytes | Exception) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._answers.put_nowait(each)


async def _read(request: QueryMessage, answer: bytes, *, tcp: bool) -> Message:
    """Parse an answer. Raises DNSException for what is none, and Truncated."""
    counts = [answer[at : at + 2] for at in (6, 8, 10)]
    if len(answer) < _HEADER_BYTES:
        raise BadResponse("shorter than a header")  # type: ignore[no-untyped-call]
    records = sum(int.from_bytes(count) for count in counts)
    if records > MAX_ANSWER_RECORDS:
        text = f"{records} records; allowed are {MAX_ANSWER_RECORDS}"
        raise TooManyRecordsError(text)  # type: ignore[no-untyped-call]
    response = await offload(from_wire, answer, ignore_trailing=True)
    if not request.is_response(response):
        raise BadResponse("the answer to another question")  # type: ignore[no-untyped-call]
    if response.flags & Flag.TC and not tcp:
        raise Truncated(message=response)  # type: ignore[no-untyped-call]
    return response


def _found(answer: DnsAnswer) -> Resolution:
    """Raises ResolutionError when there are records but none is usable."""
    given = [_record(data) for data in (answer.rrset or ())]
    records = [record for record in given if record is not None]
    usable = tuple(record for record in records if is_usable(record))
    unusable = len(records) - len(usable)
    if unusable and not usable:
        raise ResolutionError("garbage", f"no usable record: {_shown(records)}", unusable)
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
