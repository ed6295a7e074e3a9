"""Certificates that are renewed while the gateway serves: files, a running gateway, ``check``."""

import asyncio
import contextlib
import re
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from gateway.background.certificates import CertificateKeeper, certificate_warnings
from gateway.cli import main
from gateway.listener import PLAYERS
from gateway.observe import metrics
from gateway.tls.files import TlsFiles
from tests.certificates import Pair, authority, issued
from tests.integration.in_process import application
from tests.integration.running import RunningGateway, running_gateway

DAY_S = 86_400


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """An authority."""
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pairs(ca: Pair, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Certificates, each newer than the one before."""
    folder = tmp_path_factory.mktemp("pairs")
    return [issued(ca, folder, f"pair{number}") for number in range(3)]


class Renewed:
    """A folder as Kubernetes has it: the files are links into a folder that is a link itself."""

    def __init__(self, folder: Path, pair: Pair) -> None:
        self._folder = folder
        self._version = 0
        self.install(pair)
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(Path("..data") / name)

    def install(self, pair: Pair, key: Pair | None = None) -> None:
        """Change the link."""
        self._version += 1
        made = self._folder / f"..{self._version}"
        made.mkdir()
        (made / "tls.crt").write_bytes(pair.certificate.read_bytes())
        (made / "tls.key").write_bytes((key or pair).key.read_bytes())
        (self._folder / "..new").symlink_to(made.name)
        (self._folder / "..new").rename(self._folder / "..data")

    def files(self) -> TlsFiles:
        """As the config names them."""
        crt, key = self._folder / "tls.crt", self._folder / "tls.key"
        return TlsFiles("server.tls", crt, key, None, "1.2", None, "off")


def reloads(outcome: str) -> float:
    """How many certificates were read again with this outcome."""
    return float(metrics.CERTIFICATE_RELOADS.labels(PLAYERS, outcome)._value.get())


async def test_a_pair_is_used_whole_or_not_at_all(tmp_path: Path, pairs: list[Pair]) -> None:
    """A bad one is refused, logged and counted once; the last good one stays until there is a
    better one."""
    folder, now_s = Renewed(tmp_path, pairs[0]), time.time()
    keeper = CertificateKeeper(PLAYERS, folder.files(), lambda: now_s)
    ok, refused = reloads("ok"), reloads("refused")

    def serves(pair: Pair) -> bool:
        return keeper.current.pem == pair.certificate.read_text()

    with capture_logs() as logs:
        await keeper.look()
        assert [] == logs
        folder.install(pairs[1], key=pairs[2])
        for _ in range(3):
            await keeper.look()
        assert serves(pairs[0])
        assert "key_file: is not the key of the certificate" == keeper.trouble
        folder.install(pairs[1])
        await keeper.look()
        assert serves(pairs[1])
        assert "None" == str(keeper.trouble)  # mypy takes it for what it was
        now_s += 31 * DAY_S
        folder.install(pairs[2])
        for _ in range(2):
            await keeper.look()
        assert serves(pairs[1])
        assert "certificate_file: has expired" == keeper.trouble
    assert (ok + 1, refused + 2) == (reloads("ok"), reloads("refused"))
    assert ["certificate_refused", "certificate_renewed", "certificate_refused"] == [
        line["event"] for line in logs
    ]


async def test_files_that_are_still_written(tmp_path: Path, pairs: list[Pair]) -> None:
    """The certificate and its key are one pair, although one is there before the other."""
    names = [tmp_path / name for name in ("tls.crt", "tls.key")]

    def write(pair: Pair, only: int | None = None) -> None:
        for at, content in enumerate((pair.certificate.read_bytes(), pair.key.read_bytes())):
            if only in (None, at):
                names[at].write_bytes(content)

    write(pairs[0])
    files = TlsFiles("server.tls", names[0], names[1], None, "1.2", None, "off")
    keeper = CertificateKeeper(PLAYERS, files)
    with capture_logs() as logs:
        write(pairs[1], only=0)
        looking = asyncio.create_task(keeper.look())
        await asyncio.sleep(0.05)
        write(pairs[1], only=1)
        await looking
    assert ["certificate_renewed"] == [line["event"] for line in logs]


@pytest.mark.parametrize(
    ("public_url", "after_s", "said"),
    [
        (None, 0, []),
        ("https://play.example.com:8443/x/", 0, []),
        ("https://127.0.0.1/", 0, []),
        ("https://example.org/", 0, ["does not name example.org"]),
        (None, 17 * DAY_S, ["expires at "]),
        (None, 31 * DAY_S, ["has expired"]),
        ("https://example.org/", 31 * DAY_S, ["has expired", "does not name"]),
    ],
)
def test_warnings(
    tmp_path: Path, pairs: list[Pair], public_url: str | None, after_s: float, said: list[str]
) -> None:
    """What ``gateway check`` and ``serve`` say of a certificate that can be served."""
    keeper = CertificateKeeper(PLAYERS, Renewed(tmp_path, pairs[0]).files())
    now_s = time.time() + after_s
    found = list(certificate_warnings({PLAYERS: keeper}, public_url, now_s))
    assert [True] * len(said) == [
        each.problem.startswith(begin) for each, begin in zip(found, said, strict=True)
    ]
    assert {"server.tls.certificate_file"} >= {each.path for each in found}


# ── a running gateway ───────────────────────────────────────────────────────────────────────────

CONFIG = """
[server]
host = "127.0.0.1"
head_timeout_s = 5
[server.tls]
certificate_file = "players/tls.crt"
key_file = "players/tls.key"
[admin.tls]
certificate_file = "players/tls.crt"
key_file = "players/tls.key"
client_ca_file = "{ca}"
client_certificates = "required"
[store]
url = "memory"
[source]
kind = "generated"
"""


class Served:
    """A gateway with two workers, and the folder of its certificate."""

    def __init__(self, gateway: RunningGateway, folder: Renewed, ca: Pair, operator: Pair) -> None:
        self.gateway = gateway
        self.folder = folder
        self.players = ssl.create_default_context(cafile=ca.certificate)
        self.operators = ssl.create_default_context(cafile=ca.certificate)
        self.operators.load_cert_chain(operator.certificate, operator.key)

    def certificate(self) -> str:
        """What a new connection gets."""
        parts = urlsplit(self.gateway.url)
        return ssl.get_server_certificate((str(parts.hostname), parts.port or 0))

    def operator(self, path: str) -> httpx.Response:
        """The answer to an operator with a certificate."""
        return httpx.get(f"{self.gateway.admin_url}{path}", verify=self.operators, timeout=10)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, self.gateway.log
            time.sleep(0.05)


@pytest.fixture(scope="module")
def served(
    ca: Pair, pairs: list[Pair], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Started once."""
    home = tmp_path_factory.mktemp("served")
    (home / "players").mkdir()
    folder, config = Renewed(home / "players", pairs[0]), home / "gateway.toml"
    config.write_text(CONFIG.format(ca=ca.certificate))
    trusting = ssl.create_default_context(cafile=ca.certificate)
    with running_gateway(config, "--workers", "2", tls=trusting) as gateway:
        gateway.wait_for("started", 2)
        yield Served(gateway, folder, ca, issued(ca, home, "operator"))


def test_https_alone(served: Served) -> None:
    """URLs are https, plain HTTP is told so, and operators need a certificate."""
    assert ["https", "https"] == [
        urlsplit(url).scheme for url in (served.gateway.url, served.gateway.admin_url)
    ]
    with httpx.Client(verify=served.players, base_url=served.gateway.url) as client:
        found = client.get("/v1/play/film").json()
        assert found["manifest_url"].startswith(f"{served.gateway.url}/v1/play/")
        with pytest.raises(httpx.TransportError):
            client.get(f"{served.gateway.admin_url}/readyz")
    plain = httpx.get(served.gateway.url.replace("https:", "http:") + "/livez")
    assert (400, "close") == (plain.status_code, plain.headers["connection"])
    checks = served.operator("/readyz").json()["checks"]
    assert "ok" == checks["certificate_players"]["status"]
    assert "ok" == checks["certificate_operators"]["status"]


@pytest.mark.parametrize(
    ("listener", "more", "expected"),
    [
        ("server", "", "https://127.0.0.1:8080/"),
        ("admin", "", "http://127.0.0.1:8080/"),
        ("server", 'server.public_url = "http://play.example/x"\n', "http://play.example/x/"),
    ],
)
async def test_operators_read_the_urls_of_players(
    tmp_path: Path, pairs: list[Pair], listener: str, more: str, expected: str
) -> None:
    """Also when one of the listeners alone speaks HTTPS, and behind a proxy that does."""
    config = tmp_path / "gateway.toml"
    files = f'certificate_file = "{pairs[0].certificate}"\nkey_file = "{pairs[0].key}"\n'
    config.write_text(f"{more}[{listener}.tls]\n{files}")
    transport = httpx.ASGITransport(application(config).operators)
    scheme = "https" if listener == "admin" else "http"
    url = f"{scheme}://127.0.0.1:8090"
    proxied = {"X-Forwarded-Proto": "https"}
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=proxied) as client:
        found = (await client.get("/v1/play/film")).json()
        assert f"{expected}v1/play/film.m3u8" == found["manifest_url"]
        asked = {"assets": ["film"]}
        [listed] = (await client.post("/v1/decisions", json=asked)).json()["decisions"]
        assert found["manifest_url"] == listed["manifest_url"]


class Viewer(threading.Thread):
    """Sends requests until it is stopped: half of them on one connection, half on new ones."""

    def __init__(self, served: Served) -> None:
        super().__init__(daemon=True)
        self._served = served
        self._stop_soon = threading.Event()
        self.statuses: list[object] = []

    def run(self) -> None:
        """Ask and ask."""
        url = f"{self._served.gateway.url}/v1/play/film.m3u8"
        with httpx.Client(verify=self._served.players, timeout=10) as kept:
            while not self._stop_soon.is_set():
                for get in (kept.get, self._once):
                    try:
                        self.statuses.append(get(url).status_code)
                    except httpx.HTTPError as error:
                        self.statuses.append(repr(error))

    def _once(self, url: str) -> httpx.Response:
        return httpx.get(url, verify=self._served.players, timeout=10)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Ask within the block."""
        self.start()
        try:
            yield
        finally:
            self._stop_soon.set()
            self.join(30)


def test_a_renewal_under_load(served: Served, pairs: list[Pair]) -> None:
    """Not one request fails while every worker takes a new pair, refuses a bad one, and takes
    another."""
    viewer, log = Viewer(served), served.gateway
    with viewer.asking():
        served.folder.install(pairs[1])
        log.wait_for("certificate_renewed", 4)  # two listeners of two workers
        assert pairs[1].certificate.read_text() == served.certificate()
        served.folder.install(pairs[2], key=pairs[0])
        served.gateway.signal(signal.SIGHUP)
        log.wait_for("certificate_refused", 4)
        assert pairs[1].certificate.read_text() == served.certificate()
        ready = served.operator("/readyz")
        page = served.operator("/metrics").text
        served.folder.install(pairs[2])
        served.gateway.signal(signal.SIGHUP)
        log.wait_for("certificate_renewed", 8)
        assert pairs[2].certificate.read_text() == served.certificate()
    assert {200} == set(viewer.statuses)
    assert len(viewer.statuses) > 50
    check = ready.json()["checks"]["certificate_players"]
    assert (200, "degraded") == (ready.status_code, check["status"])
    assert "key_file: is not the key of the certificate" == check["reason"]
    assert 'gateway_certificate_reloads_total{listener="players",outcome="refused"} 2.0' in page
    pattern = r'^gateway_certificate_expiry_timestamp_seconds{listener="players"} (.*)'
    expires = re.search(pattern, page, re.MULTILINE)
    assert expires is not None
    assert abs(float(expires[1]) - time.time() - 30 * DAY_S) < DAY_S


def test_check_refuses_a_bad_pair(tmp_path: Path, pairs: list[Pair], ca: Pair) -> None:
    """With the key, the reason, and nothing of the private key."""
    (tmp_path / "players").mkdir()
    Renewed(tmp_path / "players", pairs[0]).install(pairs[1], key=pairs[0])
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(ca=ca.certificate))
    environ = {"GATEWAY_SERVER__PORT": "0", "GATEWAY_ADMIN__PORT": "0"}
    found = CliRunner().invoke(main, ["check", str(config)], env=environ)
    said = found.output
    assert 1 == found.exit_code
    assert "server.tls.key_file: is not the key of the certificate" in said
    assert "admin.tls.key_file: is not the key of the certificate" in said
    assert pairs[0].key.read_text().splitlines()[1] not in said
