"""The store over TLS: only a server with a trusted certificate is used."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.connection.connect import connect
from gateway.store.connection.protocol import Trouble
from tests.missing import missing
from tests.unit.store.servers import Proxy, Valkey, listening, valkey


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server without TLS of its own (the wheel's is built without); the proxy adds it."""
    with valkey(tmp_path) as running:
        yield running


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, signed by itself, and its key in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("rediss://: there is no openssl to make a certificate")
    made = tmp_path / "made.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=store.test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    return made


@pytest.mark.parametrize(
    ("query", "state", "trouble"),
    [
        pytest.param("ssl_ca_certs={certificate}", "up", None, id="trusted"),
        pytest.param("", "down", Trouble.UNREACHABLE, id="unknown authority"),
        pytest.param("ssl_cert_reqs=none&ssl_check_hostname=no", "up", None, id="unchecked"),
    ],
)
async def test_a_certificate_decides(
    server: Valkey, certificate: Path, query: str, state: str, trouble: Trouble | None
) -> None:
    """TLS is checked unless the operator says otherwise, and carries values like any connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    proxy = Proxy(server.path)
    async with listening(proxy.serve, context) as port:
        store = connect(
            f"rediss://127.0.0.1:{port}?{query.format(certificate=certificate)}", timeout_ms=5000
        )
        await store.start()
        assert (state, trouble) == (store.state, store.trouble)
        if state == "up":
            store.put_decision_later("key", b"value", 30)
            await store.flush()
            assert b"value" == await store.get_decision("key")
        await store.close()
