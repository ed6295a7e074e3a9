"""nginx and HAProxy in front of the gateway, each with its block of ``docs/deploying.md``."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.certificates import Pair, authority, issued
from tests.integration.running import RunningGateway, running_gateway
from tests.missing import missing
from tests.nginx import nginx_command
from tests.ports import free_port, wait_for_port

PAGE = Path(__file__).parents[2] / "docs" / "deploying.md"
NAME = "play.example.com"
PLAYER = "127.0.0.9"
DHAKA = "103.4.145.245"
REQUESTS = 20


def block(language: str) -> str:
    """The only block of a language on the page, but for the config of the gateway."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that believes them as the page says, and shows its reasons."""
    config = tmp_path_factory.mktemp("gateway") / "gateway.toml"
    config.write_text(f"{block('toml')}show_reasons = true\n", "utf-8")
    with running_gateway(config, environ={"GATEWAY_STORE__URL": "memory"}) as running:
        yield running


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The certificate of the proxies."""
    folder = tmp_path_factory.mktemp("certificates")
    return issued(authority(folder), folder, names=f"DNS:{NAME}")


@dataclass
class Proxy:
    """A running proxy, and a player who asks it."""

    port: int
    gateway: RunningGateway
    player: httpx.Client

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What the player gets."""
        given = {"Host": NAME, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.player.get(
            f"https://127.0.0.1:{self.port}{path}",
            headers=given, extensions={"sni_hostname": NAME},
        )  # fmt: skip


def nginx(folder: Path, port: int, pair: Pair, text: str) -> list[str]:
    """The command of an nginx with this block."""
    for name in ("pem", "key"):
        source = pair.certificate if name == "pem" else pair.key
        text = text.replace(f"/etc/ssl/{NAME}.{name}", str(source))
    return nginx_command(folder, text.replace("listen 443", f"listen 127.0.0.1:{port}"))


def haproxy(folder: Path, port: int, pair: Pair, text: str) -> list[str]:
    """The command of an HAProxy with this block."""
    joined = folder / "joined.pem"
    joined.write_text(pair.certificate.read_text() + pair.key.read_text())
    text = text.replace("bind :443", f"bind 127.0.0.1:{port}")
    config = folder / "haproxy.cfg"
    config.write_text(text.replace(f"/etc/ssl/{NAME}.pem", str(joined)))
    return ["haproxy", "-db", "-f", str(config)]


COMMANDS = {"nginx": nginx, "haproxy": haproxy}
PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy"}


@pytest.fixture(scope="module", params=COMMANDS)
def proxy(
    request: pytest.FixtureRequest,
    gateway: RunningGateway,
    pair: Pair,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """The proxy of the page. Of its two gateways, one is not there."""
    name: str = request.param
    if shutil.which(name) is None:
        missing(f"{name} is not here: apt-get install {PACKAGES[name]}")
    folder, port = tmp_path_factory.mktemp(name), free_port()
    text = block(name)
    assert {"10.0.0.1:8080", "10.0.0.2:8080"} == set(re.findall(r"10\.0\.0\.\d:\d+", text))
    text = text.replace("10.0.0.1:8080", gateway.url.removeprefix("http://"))
    text = text.replace("10.0.0.2:8080", f"127.0.0.1:{free_port()}")
    command = COMMANDS[name](folder, port, pair, text)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with contextlib.suppress(AssertionError):
            wait_for_port(port)
        assert process.poll() is None, (folder / "log").read_text()
        transport = httpx.HTTPTransport(verify=False, http2=True, local_address=PLAYER)
        with httpx.Client(transport=transport, timeout=20) as player:
            yield Proxy(port, gateway, player)
    finally:
        process.terminate()
        process.wait(20)


def test_every_player_gets_a_manifest(proxy: Proxy) -> None:
    """Over HTTP/2, though one of the gateways is gone; on few connections to the other one."""
    for number in range(REQUESTS):
        answer = proxy.get(f"/v1/play/film/{number}.m3u8")
        assert (200, "HTTP/2") == (answer.status_code, answer.http_version)
        assert answer.text.startswith("#EXTM3U")
    shown = httpx.get(f"{proxy.gateway.admin_url}/metrics").text
    found = re.search(r'^gateway_connections\{listener="players"\} (\d+)', shown, re.MULTILINE)
    assert found is not None
    assert 1 <= int(found[1]) <= 5, "connections to the gateway are not kept open"


def test_the_player_is_where_the_proxy_says(proxy: Proxy) -> None:
    """A player's own forwarding headers change nothing; URLs are those that players use."""
    forged = {"X_Forwarded_For": DHAKA, "Forwarded": f"for={DHAKA}", "X_Forwarded_Proto": "http"}
    answer = proxy.get("/v1/play/film/one", **forged).json()
    assert answer["client"]["country"] is None
    assert "the last forwarded address that is not a trusted proxy" in " ".join(answer["reasons"])
    assert answer["manifest_url"].startswith(f"https://{NAME}/v1/play/film/one.m3u8")


def test_answers_pass_unchanged(proxy: Proxy) -> None:
    """Coding, validator and freshness; a 304; and the request's id, which the proxy chooses."""
    answer = proxy.get("/v1/play/film/one.m3u8", Accept_Encoding="br", X_Request_ID="mine")
    assert "br" == answer.headers["content-encoding"]
    assert answer.headers["cache-control"].startswith("private, max-age=")
    assert answer.headers["gateway-decision"]
    assert answer.headers["x-request-id"] not in {"", "mine"}
    again = proxy.get(
        "/v1/play/film/one.m3u8", Accept_Encoding="br", If_None_Match=answer.headers["etag"]
    )
    assert 304 == again.status_code


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/", "/v2/play/film/one.m3u8"])
def test_nothing_else_is_reached(proxy: Proxy, path: str) -> None:
    """The proxy answers itself."""
    answer = proxy.get(path)
    assert 404 == answer.status_code
    assert "x-request-id" not in answer.headers
