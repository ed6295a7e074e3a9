"""A DNS server on loopback with configurable answers, over UDP and TCP on one port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from dns.flags import AA, TC
from dns.message import Message, from_wire, make_response
from dns.rcode import NOERROR, NXDOMAIN, SERVFAIL, Rcode
from dns.rrset import from_text

from tests.background import in_background

Records = tuple[str, ...]


@dataclass
class DnsServer:
    """``records`` by name and type, as in a zone file. A name that is not listed does not exist
    (NXDOMAIN). ``rcode`` and ``silent`` override the records."""

    port: int = 0
    ttl_s: int = 1
    records: dict[tuple[str, str], Records] = field(default_factory=dict)
    rcode: Rcode = NOERROR
    silent: bool = False
    garbage: bool = False
    wire: bytes | None = None
    """These bytes, after the id, instead of an answer."""
    only_tcp: bool = False
    asked: list[str] = field(default_factory=list)
    over_tcp: int = 0

    @property
    def address(self) -> str:
        """As ``dns.resolvers`` has it."""
        return f"127.0.0.1:{self.port}"

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer to one query; None for silence."""
        query = from_wire(wire)
        self.asked.append(query.question[0].name.to_text(omit_final_dot=True))
        self.over_tcp += tcp
        if self.silent:
            return None
        if self.wire is not None:
            return wire[:2] + self.wire
        if self.garbage:
            return wire[:2] + b"\x81\x80garbage"
        response: Message = make_response(query)
        response.flags |= AA
        response.set_rcode(self.rcode)
        if self.rcode == NOERROR:
            self._fill(response)
        if self.only_tcp and not tcp:
            response.answer.clear()
            response.flags |= TC
        return response.to_wire(max_size=65535)

    def _fill(self, response: Message) -> None:
        question = response.question[0]
        name, kind = question.name, question.rdtype.name
        hops = 0
        while alias := self.records.get((name.to_text(omit_final_dot=True), "CNAME")):
            rrset = from_text(name, self.ttl_s, "IN", "CNAME", alias[0] + ".")
            response.answer.append(rrset)
            name = rrset[0].target
            hops += 1
            assert hops < 9
        text = name.to_text(omit_final_dot=True)
        found = self.records.get((text, kind))
        if found:
            response.answer.append(from_text(name, self.ttl_s, "IN", kind, *found))
        elif found is None and all(known != text for known, _ in self.records):
            response.set_rcode(NXDOMAIN)

    async def over_udp(self, bound: socket.socket) -> None:
        """Serve one socket until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wire, peer = await loop.sock_recvfrom(bound, 65535)
            reply = self.answer(wire, tcp=False)
            if reply is not None:
                await loop.sock_sendto(bound, reply, peer)

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            length = int.from_bytes(await reader.readexactly(2))
            reply = self.answer(await reader.readexactly(length), tcp=True)
            if reply is not None:
                writer.write(len(reply).to_bytes(2) + reply)
                await writer.drain()
        writer.close()


def failing(server: DnsServer) -> None:
    """Answer SERVFAIL from now on."""
    server.rcode = SERVFAIL


@contextlib.asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    """A running server without any names."""
    server = DnsServer()
    tcp = await asyncio.start_server(server.serve_tcp, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", server.port))
        bound.setblocking(False)
        try:
            async with in_background(server.over_udp(bound)):
                yield server
        finally:
            tcp.close()
