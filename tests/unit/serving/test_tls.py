"""TLS over real sockets: who is let in, what is told to whom is not, and that HTTP inside is the
same as without."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from starlette.types import Receive, Scope, Send

from gateway.listener import PLAYERS
from gateway.observe import metrics
from gateway.serving.limits import ConnectionLimits
from gateway.tls.certificate import Certificate, load
from gateway.tls.files import TlsFiles
from tests.certificates import Pair, authority, issued
from tests.integration.connection_attacks import (
    ATTACKS,
    GET,
    LARGE,
    LARGE_BYTES,
    OVER_TLS,
    echo,
    peer,
)
from tests.unit.serving.servers import PATIENCE_S, SHORT, is_idle, serving, until

CLIENT_SUBJECT = "/DC=example/O=A, B/OU=x/CN=alice"


@dataclass(frozen=True)
class Made:
    """All certificates of this file."""

    ca: Pair
    server: Pair
    client: Pair
    stranger: Pair


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A server's certificate, a client's, and a client's that another authority has issued."""
    folder = tmp_path_factory.mktemp("tls")
    ca = authority(folder)
    return Made(
        ca,
        issued(ca, folder, "server"),
        issued(ca, folder, "client", subject=CLIENT_SUBJECT, names="URI:spiffe://a/b,email:a@b.c"),
        issued(authority(folder / "other"), folder, "stranger", subject="/CN=alice"),
    )


def files(made: Made, **other: Any) -> TlsFiles:
    """The files of a listener."""
    pair = made.server
    plain = TlsFiles("server.tls", pair.certificate, pair.key, None, "1.2", None, "off")
    return replace(plain, **other)


class Told:
    """An application that says what it knows of the connection, and has certificates."""

    def __init__(self, certificate: Certificate) -> None:
        self.is_idle: Callable[[], bool] = lambda: True
        self.certificates = {PLAYERS: SimpleNamespace(current=certificate)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/tls":
            await echo(scope, receive, send)
            return
        body = json.dumps([scope["scheme"], scope["extensions"]["tls"]]).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def listening(
    files: TlsFiles, limits: ConnectionLimits = SHORT
) -> AsyncIterator[tuple[Told, int]]:
    """The application of a server with TLS, and its port. Nothing is left of its connections."""
    app = Told(load(files))
    async with serving(app, limits, tls=[PLAYERS]) as (server, port):
        app.is_idle = lambda: is_idle(server)
        yield app, port
        await until(lambda: is_idle(server))


def client(made: Made, pair: Pair | None = None) -> ssl.SSLContext:
    """A client that trusts the authority."""
    context = ssl.create_default_context(cafile=made.ca.certificate)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


@contextlib.contextmanager
def connecting(context: ssl.SSLContext) -> Iterator[None]:
    """Peers connect like this."""
    token = OVER_TLS.set(context)
    try:
        yield
    finally:
        OVER_TLS.reset(token)


def failures(reason: str) -> float:
    """How many handshakes have failed for this reason."""
    return float(metrics.HANDSHAKE_FAILURES.labels(PLAYERS, reason)._value.get())


async def asked(context: ssl.SSLContext, port: int, path: str = "/tls") -> Any:
    """The answer in JSON. Raises ssl.SSLError when the server refuses."""
    with connecting(context):
        async with peer(port) as one:
            await one.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            return json.loads((await one.answer())[2])


async def test_http_inside_is_the_same(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    """Every attack on a connection is resisted inside TLS, too; nothing is logged as an error."""
    caplog.set_level(logging.WARNING)
    with structlog.testing.capture_logs() as logged:
        async with listening(files(made)) as (_, port):
            with connecting(client(made)):
                attacks = (attack(port, PATIENCE_S) for attack in ATTACKS.values())
                found = await asyncio.gather(*attacks)
    assert {} == {name: what for name, what in zip(ATTACKS, found, strict=True) if what}
    assert ([], []) == (caplog.records, [line for line in logged if line["log_level"] == "error"])


async def test_large_answers_and_bodies_arrive(made: Made) -> None:
    """Over many records, while the peer reads slowly and sends much."""
    body = bytes(range(256)) * 1024
    post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with listening(files(made)) as (_, port):
        with connecting(client(made)):
            async with peer(port) as one:
                await one.send(post + body + LARGE + GET)
                assert body.decode("latin-1") == json.loads((await one.answer())[2])["body"]
                await asyncio.sleep(0.1)
                assert LARGE_BYTES == len((await one.answer())[2])
                assert "/echo" == json.loads((await one.answer())[2])["path"]


def limited(highest: ssl.TLSVersion) -> Callable[[Made], ssl.SSLContext]:
    """A client that speaks no newer version than this."""

    def made_for(made: Made) -> ssl.SSLContext:
        context = client(made)
        context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL refuses TLS 1.1 itself otherwise
        context.minimum_version = context.maximum_version = highest
        return context

    return made_for


def speaking_h2(made: Made) -> ssl.SSLContext:
    """A client that offers HTTP/2 first, as browsers do."""
    context = client(made)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


VERSIONS: dict[str, list[tuple[str, Callable[[Made], ssl.SSLContext], int | None]]] = {
    "1.2": [
        ("1.3", client, 0x0304),
        ("1.2", limited(ssl.TLSVersion.TLSv1_2), 0x0303),
        ("1.1", limited(ssl.TLSVersion.TLSv1_1), None),
        ("h2 is offered", speaking_h2, 0x0304),
    ],
    "1.3": [("1.3", client, 0x0304), ("1.2", limited(ssl.TLSVersion.TLSv1_2), None)],
}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("minimum", VERSIONS)
async def test_versions(made: Made, minimum: Any) -> None:
    """An old version is refused with an alert, and counted."""
    async with listening(files(made, minimum=minimum)) as (_, port):
        for name, asking, version in VERSIONS[minimum]:
            before = failures("protocol-version")
            if version is None:
                with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
                    await asked(asking(made), port)
                assert before + 1 == failures("protocol-version"), name
                continue
            scheme, told = await asked(asking(made), port)
            assert ("https", version) == (scheme, told["tls_version"]), name
            assert [] == told["client_cert_chain"]
            assert told["server_cert"] == made.server.certificate.read_text()
            assert told["cipher_suite"] > 0


WHO = ("client_cert_name", "client_cert_alt_names")
ALICE = ["CN=alice,OU=x,O=A\\, B,DC=example", ["URI:spiffe://a/b", "email:a@b.c"]]
NOBODY: list[Any] = [None, []]
DEMANDS: dict[str, list[tuple[str | None, list[Any] | str]]] = {
    "required": [
        ("client", ALICE),
        (None, "client-certificate-missing"),
        ("stranger", "client-certificate-refused"),
    ],
    "optional": [("client", ALICE), (None, NOBODY), ("stranger", "client-certificate-refused")],
    "off": [("client", NOBODY)],
}


@pytest.mark.parametrize("demand", DEMANDS)
async def test_client_certificates(made: Made, demand: Any) -> None:
    """Only a certificate that the authority has issued names its client; the others are told."""
    given = None if demand == "off" else made.ca.certificate
    tls = files(made, client_certificates=demand, client_ca_file=given)
    async with listening(tls) as (_, port):
        for who, expected in DEMANDS[demand]:
            asking = client(made, None if who is None else getattr(made, who))
            if isinstance(expected, str):
                before = failures(expected)
                with pytest.raises(ssl.SSLError, match="ALERT"):
                    await asked(asking, port)
                assert before + 1 == failures(expected)
                continue
            _, told = await asked(asking, port)
            assert expected == [told[key] for key in WHO]
            assert (expected == ALICE) == bool(told["client_cert_chain"])


async def test_plain_http_is_answered(made: Made) -> None:
    """A client that forgot the s is told so."""
    before = failures("plain-http")
    async with listening(files(made)) as (_, port), peer(port) as one:
        await one.send(GET)
        status, headers, body = await one.answer()
        assert (400, "close") == (status, headers["connection"])
        assert "urn:problem:streaming-gateway:plain-http" == json.loads(body)["type"]
        assert await one.ends(PATIENCE_S)
    assert before + 1 == failures("plain-http")


HELLO_BEGINS = b"\x16\x03\x01\x02\x00\x01\x00"


async def test_half_open_handshakes(made: Made) -> None:
    """They count as connections, and end in time, also when their bytes drip."""
    before, limits = failures("timeout"), replace(SHORT, max_connections=3)
    async with listening(files(made), limits) as (app, port):
        async with peer(port) as silent, peer(port) as begun, peer(port) as dripping:
            await begun.send(HELLO_BEGINS)
            await dripping.send(HELLO_BEGINS)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await asked(client(made), port)
            for _ in range(10):
                await asyncio.sleep(0.09)
                await dripping.send(b"\0")
            for one in (silent, begun, dripping):
                assert await one.ends(0.1)
        await until(app.is_idle)
        assert before + 3 == failures("timeout")
        await asked(client(made), port)


async def test_a_client_that_goes_away(made: Made) -> None:
    """Before the handshake, and in the middle of it; or one that speaks something else."""
    before, malformed = failures("closed"), failures("malformed")
    async with listening(files(made)) as (_, port):
        async with peer(port) as one:
            await one.send(b"\0" * 600)
            assert await one.ends(PATIENCE_S)
        assert malformed + 1 == failures("malformed")
        for sent in (b"", HELLO_BEGINS):
            async with peer(port) as one:
                await one.send(sent)
        await until(lambda: failures("closed") == before + 2)


async def test_a_client_that_does_not_trust(made: Made) -> None:
    """Its alert is counted."""
    before = failures("alert")
    async with listening(files(made)) as (_, port):

        def refuse() -> None:  # asyncio's clients close without an alert
            with socket.create_connection(("127.0.0.1", port)) as plain:
                ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")

        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(refuse)
        await until(lambda: failures("alert") == before + 1)


async def test_a_renewed_certificate_serves_new_connections(made: Made, tmp_path: Path) -> None:
    """Running connections go on with the old one."""
    newer = issued(made.ca, tmp_path, "newer")
    async with listening(files(made)) as (app, port):
        with connecting(client(made)):
            async with peer(port) as old:
                await old.send(GET)
                assert 200 == (await old.answer())[0]
                tls = files(made, certificate_file=newer.certificate, key_file=newer.key)
                app.certificates[PLAYERS].current = load(tls)
                assert (
                    newer.certificate.read_text()
                    == (await asked(client(made), port))[1]["server_cert"]
                )
                await old.send(b"GET /tls HTTP/1.1\r\nHost: x\r\n\r\n")
                told = json.loads((await old.answer())[2])[1]
    assert made.server.certificate.read_text() == told["server_cert"]


async def test_what_comes_after_the_end_is_dropped(made: Made) -> None:
    """Bytes that are no record end the connection, and an end of TLS is answered with one."""
    async with listening(files(made)) as (_, port):
        with connecting(client(made)):
            async with peer(port) as one:
                await one.send(GET)
                await one.answer()
                with socket.socket(
                    fileno=os.dup(one.writer.get_extra_info("socket").fileno())
                ) as raw:
                    raw.send(b"\x17\x03\x03\x00\x05hello")
                assert await one.ends(PATIENCE_S)

        def polite() -> bytes:
            plain = socket.create_connection(("127.0.0.1", port))
            with client(made).wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(GET)
                tls.recv(65536)
                with tls.unwrap() as left:
                    return left.recv(10)

        assert b"" == await asyncio.to_thread(polite)
