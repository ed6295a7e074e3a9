"""Attacks on the connection: bytes that two servers could read differently, and peers that wait."""

import asyncio
import contextlib
import ssl
import statistics
import time
from collections.abc import Iterator, Sequence

import httpx

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire, talk
from tests.attack.judge import fault_of, judge
from tests.attack.stages import (
    Stage,
    TlsStage,
    directory_stage,
    mutual_tls_stage,
    tls_stage,
)
from tests.certificates import Pair, authority, expired, issued
from tests.integration.connection_attacks import ATTACKS, dripped, held, peer

HOST = b"Host: localhost\r\n"
HIDDEN = b"GET /v1/play/film?session=smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
"""What a desync would have the gateway answer: it has status 200."""
POST = b"POST /v1/cmcd HTTP/1.1\r\n" + HOST + b"Content-Type: application/cmcd\r\n"
GET = b"GET /v1/play/film.m3u8 HTTP/1.1\r\n" + HOST
GOOD = GET + b"\r\n"

TRANSFER_ENCODINGS: tuple[bytes, ...] = (
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding:chunked", b"transfer-encoding: CHUNKED"),
    *(
        b"Transfer-Encoding : chunked",
        b" Transfer-Encoding: chunked",
        b"Transfer-Encoding:\tchunked",
    ),
    *(
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked\x0b",
        b"Transfer-Encoding: \x0bchunked",
    ),
    *(b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked"),
    *(
        b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding: chunked;q=1",
        b"Transfer-Encoding: ,chunked",
    ),
    *(
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    ),
    *(
        b"Transfer-Encoding:\r\n chunked",
        b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rTransfer-Encoding: chunked",
    ),
    *(
        b"Transfer\x00-Encoding: chunked",
        b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: chunk\x00ed",
    ),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: gzip"),
)
CONTENT_LENGTHS: tuple[bytes, ...] = (
    *(b"+%d", b"-%d", b" %d ", b"0%d", b"0x%x", b"%d,%d", b"%d, %d", b"%d.0", b"1%d", b"%d\x0b"),
    *(b"%de0", b"%d\x00", b"\xd9\xa1", b"", b"99999999999999999999%d", b"%d\r\nContent-Length: 0"),
)
CHUNKS: tuple[bytes, ...] = (
    *(
        b"0x0\r\n\r\n",
        b"-1\r\n\r\n",
        b"+0\r\n\r\n",
        b" 0\r\n\r\n",
        b"0 \r\n\r\n",
        b"00000000000000000000\r\n\r\n",
    ),
    *(
        b"0;a=b\r\n\r\n",
        b'0;a="\r\n"\r\n\r\n',
        b"0;\n\r\n\r\n",
        b"0\n\n",
        b"0\r\r\n",
        b"0\n\r\n",
        b"0\r\n\n",
    ),
    *(
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"ffffffffffffffff\r\na",
        b"10000000000000000\r\na",
        b"\r\n0\r\n\r\n",
    ),
    *(
        b"2\r\na\r\n0\r\n\r\n",
        b"0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n",
        b"0\r\nContent-Length: 50\r\n\r\n",
    ),
    *(
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0;\x00\r\n\r\n",
        b"0\r\n: x\r\n\r\n",
        b"0\r\n a\r\n\r\n",
        b"g\r\n\r\n",
    ),
)
HEADS: tuple[bytes, ...] = (
    *(b"GET /v1/play/film.m3u8\r\n\r\n", b"GET /v1/play/film.m3u8 HTTP/0.9\r\n\r\n"),
    *(b"GET  /livez HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /livez  HTTP/1.1\r\n" + HOST + b"\r\n"),
    *(b"GET\t/livez HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /livez HTTP/1.1 \r\n" + HOST + b"\r\n"),
    *(b"get /livez HTTP/1.1\r\n" + HOST + b"\r\n", b"G\x00T /livez HTTP/1.1\r\n" + HOST + b"\r\n"),
    *(b"GET /livez http/1.1\r\n" + HOST + b"\r\n", b"GET /livez HTTP/1.1\n" + HOST + b"\n"),
    *(b"GET /livez HTTP/11.1\r\n" + HOST + b"\r\n", b"GET /livez HTTP/1.10\r\n" + HOST + b"\r\n"),
    *(b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    *(
        b"GET http://evil.example/livez HTTP/1.1\r\n\r\n",
        b"GET ftp://x/ HTTP/1.1\r\n" + HOST + b"\r\n",
    ),
    *(b"GET http://u:p@x/ HTTP/1.1\r\n" + HOST + b"\r\n", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    *(b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", b"GET //x/livez HTTP/1.1\r\n" + HOST + b"\r\n"),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"\r\n" * 200),
    *(
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a@b\r\n\r\n",
    ),
    *(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n X: folded\r\n\r\n",),
    *(
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + HOST + b": y\r\n\r\n",
    ),
    *(
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X Y: z\r\n\r\n",
    ),
    *(
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: \x00\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    ),
    *(
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n " + HOST + b"\r\n",
    ),
    *(
        b"GET /livez HTTP/1.1\r\n" + HOST + b"\xff: a\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X\x7f: a\r\n\r\n",
    ),
)


def framed() -> Iterator[tuple[bytes, int]]:
    """Bytes that hide a request in a body, or in what a lenient server takes for one, and the most
    answers that they may have. None of these may be the hidden request's."""
    chunked_body = b"0\r\n\r\n" + HIDDEN
    for name in TRANSFER_ENCODINGS:
        length = b"Content-Length: %d\r\n" % len(chunked_body)
        yield POST + length + name + b"\r\n\r\n" + chunked_body, 1
        yield POST + name + b"\r\n" + length + b"\r\n" + chunked_body, 1
        short = b"Content-Length: 4\r\n"
        if (
            name != b"Transfer_Encoding: chunked"
        ):  # an unknown header: a body of 4 bytes, and a request
            yield POST + short + name + b"\r\n\r\n" + b"5c\r\n" + HIDDEN + b"\r\n0\r\n\r\n", 1
        yield GET + name + b"\r\n" + length + b"\r\n" + chunked_body, 1
    for shape in CONTENT_LENGTHS:
        size = len(HIDDEN)
        value = shape % ((size,) * shape.count(b"%")) if b"%" in shape else shape
        yield POST + b"Content-Length: " + value + b"\r\n\r\n" + HIDDEN, 1
        yield POST + b"Content-Length: 0\r\nContent-Length: " + value + b"\r\n\r\n" + HIDDEN, 1


def rest() -> Iterator[bytes]:
    """Heads and chunks that are malformed or may be read in two ways, before a good request."""
    for head in HEADS:
        yield head
        yield GOOD + head
    for chunk in CHUNKS:
        yield POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk


def _is_the_hidden(answer: Answer) -> bool:
    return answer.status == 200 and b'"asset": "film"' in answer.body


REFUSED = {400, 408, 413, 431, 501, 505}


AT_ONCE = 50


async def smuggle(stage: Stage, effort: Effort) -> Outcome:
    """Send each shape on a connection of its own."""
    del effort
    outcome = Outcome()
    gate = asyncio.Semaphore(AT_ONCE)

    async def send(data: bytes, most: int | None) -> None:
        async with gate:
            answers = await talk(stage.port, data)
        outcome.sent += 1
        faults = [fault_of(answer) for answer in answers]
        faults.append(_after_a_refusal(answers) if most is None else _hidden(answers, most))
        outcome.faults += [f"{fault}: {data!r}" for fault in faults if fault]

    # What follows a malformed request is never answered.
    shapes = [*framed(), *((data + HIDDEN, None) for data in rest())]
    await asyncio.gather(*(send(data, most) for data, most in shapes))
    return outcome


def _hidden(answers: Sequence[Answer], most: int) -> str:
    if any(_is_the_hidden(answer) for answer in answers):
        return "the hidden request was answered"
    return f"{len(answers)} answers" if len(answers) > most else ""


def _after_a_refusal(answers: Sequence[Answer]) -> str:
    statuses = [answer.status for answer in answers]
    refused = [at for at, status in enumerate(statuses) if status in REFUSED]
    ends = not refused or refused[0] == len(statuses) - 1
    return "" if ends else f"answers {statuses} go on behind a refusal"


PATIENCE_S = 9.0
SLOW = {
    **{name: attack for name, attack in ATTACKS.items() if name.startswith("a flood")},
    "a silent connection": held(),
    "a head that never ends": held(b"GET / HTTP/1.1\r\nHost:"),
    "a head that drips": dripped(b"GET / HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n"),
    "a body that never comes": held(POST + b"Content-Length: 1000\r\n\r\n"),
    "a body that drips": dripped(POST + b"Content-Length: 100000\r\n\r\n", b"a"),
    "a chunk that never ends": held(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "trailers that drip": dripped(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
    "an idle connection": held(GOOD, answered=True),
    "probes that nobody reads": held(b"GET /v1/probe?bytes=10000000 HTTP/1.1\r\n" + HOST + b"\r\n"),
}


async def wait_for_ever(stage: Stage, effort: Effort) -> Outcome:
    """Hold connections in every way, many at once, while players ask."""
    outcome = Outcome()
    copies = max(2, round(8 * effort.scale))
    done = asyncio.Event()

    async def one(name: str) -> None:
        fault = await SLOW[name](stage.port, PATIENCE_S)
        outcome.sent += 1
        if fault:
            outcome.fault(f"{name}: {fault}")

    async def players() -> list[float]:
        times = []
        while not done.is_set():
            begun = time.monotonic()
            tally = await fire(stage.port, iter([Shot(GOOD)]), judge(), connections=1)
            times.append(time.monotonic() - begun)
            outcome.faults += tally.faults
            await asyncio.sleep(0.05)
        return times

    asking = asyncio.create_task(players())
    names: Sequence[str] = [name for name in SLOW for _ in range(1 if "flood" in name else copies)]
    await asyncio.gather(*map(one, names))
    done.set()
    times = sorted(await asking)
    outcome.figures.append(
        f"players: {len(times)} answers, median {times[len(times) // 2] * 1000:.0f} ms"
    )
    return outcome


HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(32)
"""The begin of a ClientHello that announces 200 bytes."""
HALVES: tuple[bytes, ...] = (
    *(b"", HELLO[:1], HELLO[:5], HELLO, bytes(100), b"\x16\x03\x01\xff\xff", b"\x80\x2e\x01"),
    *(GOOD, b"\x15\x03\x03\x00\x02\x02\x28", b"\x14\x03\x03\x00\x01\x01", HELLO * 50),
)
"""What a peer may say instead of a handshake."""
DRIP_S = 1.0
"""Seconds between two bytes of a handshake that drips: less than the deadline of the whole."""
LATE_S = 1.0
"""Players that shake hands meanwhile have to be answered within this time, by the median."""


def client_hello() -> bytes:
    """The first record of a good handshake, for the host ``localhost``."""
    sent = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost").do_handshake()
    return sent.read()


def dripping() -> Iterator[tuple[bytes, Sequence[bytes]]]:
    """Good handshakes: what is sent at once, and what follows bit by bit."""
    hello = client_hello()
    message = hello[5:]
    tiny = [hello[:3] + b"\0\1" + message[at : at + 1] for at in range(len(message))]
    for at in (0, 1, 5, 9, len(hello) - 20):
        yield hello[:at], [hello[each : each + 1] for each in range(at, len(hello))]
    yield tiny[0], tiny[1:]  # a record for each byte (RFC 8446, 5.1)
    finished = b"\x14\x03\x03\0\1\1\x17\x03\x03\0\x45" + bytes(69)
    yield hello, [finished[at : at + 1] for at in range(len(finished))]


async def half_open(stage: TlsStage, effort: Effort) -> Outcome:
    """Begin many handshakes and end none, at once and byte by byte, while players ask over TLS."""
    outcome = Outcome()
    copies = max(4, round(30 * effort.scale))
    lasted: list[float] = []

    async def one(data: bytes) -> None:
        async with peer(stage.port) as opened:
            await opened.send(data)
            outcome.sent += 1
            if not await opened.ends(PATIENCE_S):
                outcome.fault(f"a handshake is held open: {data[:20]!r}")

    async def drip(begin: bytes, drops: Sequence[bytes]) -> None:
        async with peer(stage.port) as opened:
            begun = time.monotonic()
            await opened.send(begin)
            outcome.sent += 1
            ending = asyncio.create_task(opened.ends(PATIENCE_S))
            for drop in drops:
                await asyncio.wait([ending], timeout=DRIP_S)
                if ending.done():
                    break
                await opened.send(drop)
            if not await ending:
                outcome.fault(f"a handshake that drips is held open: {begin[:20]!r}")
            lasted.append(time.monotonic() - begun)

    waiting = asyncio.gather(
        *(one(data) for data in HALVES for _ in range(copies)),
        *(drip(*each) for each in dripping() for _ in range(copies)),
    )
    context = ssl.create_default_context(cafile=stage.authority)
    times = []
    while not waiting.done():
        begun = time.monotonic()
        # A client of its own each time: an old connection would need no handshake.
        async with httpx.AsyncClient(verify=context, base_url=stage.gateway.url) as client:
            answer = await client.get("/v1/play/film.m3u8")
        times.append(time.monotonic() - begun)
        outcome.fault(f"a player gets {answer.status_code}", unless=answer.status_code == 200)
        await asyncio.sleep(0.1)
    await waiting
    shortest, late = min(lasted), statistics.median(times)
    outcome.fault(
        f"a handshake that drips ends after {shortest:.1f} s, so something else ends it",
        unless=shortest > DRIP_S,
    )
    outcome.fault(f"players wait {late:.1f} s for an answer", unless=late < LATE_S)
    outcome.figures.append(f"dripping handshakes end after {shortest:.1f} to {max(lasted):.1f} s")
    outcome.figures.append(f"players: {len(times)} answers, median {late * 1000:.0f} ms")
    return outcome


def _certificates(stage: TlsStage) -> Iterator[tuple[str, ssl.SSLContext]]:
    """What a peer may show, by name; the first is right."""
    own = Pair(stage.authority, stage.authority.with_name("ca-key.pem"))
    folder = stage.folder / "foreign"
    foreign = authority(folder)  # of the same name
    shown: dict[str, Pair | None] = {
        "a good certificate": Pair(
            own.key.with_name("client.pem"), own.key.with_name("client-key.pem")
        ),
        "no certificate": None,
        "one of another authority": issued(foreign, folder, "other"),
        "the other authority itself": foreign,
        "an expired one": expired(own, folder),
    }
    for name, pair in shown.items():
        context = ssl.create_default_context(cafile=stage.authority)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        yield name, context


async def show_certificates(stage: TlsStage, effort: Effort) -> Outcome:
    """Ask over TLS with each certificate, in TLS 1.2 and in 1.3, whose handshake ends too early for
    the client to be told."""
    outcome = Outcome()
    copies = max(2, round(10 * effort.scale))
    for name, context in _certificates(stage):
        good = name == "a good certificate"
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            for _ in range(copies):
                said = await _asked(stage.port, context)
                outcome.sent += 1
                admitted = said.startswith(b"HTTP/1.1 200")
                outcome.fault(f"{name}: {said[:80]!r}", unless=admitted if good else not said)
    return outcome


async def _asked(port: int, context: ssl.SSLContext) -> bytes:
    """The answer over a new connection; empty without one."""
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
    except (ssl.SSLError, ConnectionError):
        return b""
    try:
        writer.write(b"GET /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        return await asyncio.wait_for(reader.read(1024), PATIENCE_S)
    except (ssl.SSLError, ConnectionError):
        return b""
    finally:
        writer.close()


ROWS = (
    Attack(
        name="request-smuggling",
        group="Connections",
        sent="Requests hidden in bodies: Content-Length and Transfer-Encoding together, repeated, "
        "disguised; chunk extensions, bare line feeds, folded and unnamed headers, HTTP/0.9.",
        expected="One answer at most, and then the end of the connection; the hidden request is "
        "never answered.",
        staging=directory_stage,
        run=smuggle,
    ),
    Attack(
        name="slow-peers",
        group="Connections",
        sent="Heads, bodies, trailers and answers that take for ever, floods of headers "
        "and chunks.",
        expected="Each connection ends within its limit, and players are answered meanwhile.",
        staging=directory_stage,
        run=wait_for_ever,
    ),
)
TLS_ROWS = (
    Attack(
        name="half-open-tls",
        group="Connections",
        sent="TLS handshakes that are begun, cut, or none, and good ones that send a byte a "
        "second, many at once.",
        expected="Each connection ends within its limit, and players with new connections are "
        "answered meanwhile.",
        staging=tls_stage,
        run=half_open,
        checks_vitals=False,
    ),
    Attack(
        name="client-certificates",
        group="Connections",
        sent="No certificate, one of another authority of the same name, that authority itself, "
        "and one that has expired, to a listener that wants one.",
        expected="No answer; a good one is answered.",
        staging=mutual_tls_stage,
        run=show_certificates,
        checks_vitals=False,
    ),
)
