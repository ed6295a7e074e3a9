"""A real Prometheus scrapes a real gateway: every query runs, and alerts fire when parts break.

The tests share the gateway and run in this order: all is fine, parts break, the gateway is killed.
"""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import httpx
import pytest

from gateway.trust.operators.api_key import key_hash, key_text
from scripts.grafana_dashboard import ROWS
from tests.certificates import Pair, authority, issued
from tests.integration.edge_processes import EdgeProcess, edge_processes
from tests.integration.origins import OriginProcess, origin_process
from tests.integration.playback_tokens import PROTECT, bearer, token
from tests.integration.processes import children
from tests.integration.running import RunningGateway, running_gateway
from tests.monitoring.parts import rules
from tests.monitoring.prometheus_server import PrometheusServer, prometheus_server, quickened
from tests.unit.geodata.mmdb_files import MINNEAPOLIS, write_mmdb
from tests.unit.store.servers import Valkey, valkey
from tests.unit.trust.tokens.making import private

NORWAY = "203.0.113.7"
NEVER_SEEN_WHEN_FINE = {
    "Alerts",
    "Background tasks that fail",
    "Changes of state",
    "Connections refused",
    "Faults in manifests",
    "Measurements",
    "Measurements that are lost",
    "Probes that fail",
    "Problems",
    "Rate limits",
    "Sessions that move",
    "Steering manifests",
    "Do players obey?",
}
"""Panels that may be empty while nothing is wrong, or while no player sends reports."""

BROKEN = {
    "GatewayAllEdgesDown",
    "GatewayCertificateExpires",
    "GatewayCertificateExpiresSoon",
    "GatewayConfigRefused",
    "GatewayContinentDown",
    "GatewayEdgeDown",
    "GatewayErrorsFast",
    "GatewayErrorsSlow",
    "GatewayGeoIPRefused",
    "GatewayOriginBreakerOpen",
    "GatewayOriginErrors",
    "GatewayOtlpFails",
    "GatewaySourceUnreadable",
    "GatewayStoreDown",
    "GatewayTokenKeysRefused",
    "GatewayTokensRefused",
    "GatewayWorkersMissing",
}
BUSY = {"GatewayBusy", "GatewaySlow", "GatewayStoreDropsWrites"}
"""These may be true for seconds on a machine that is busy with other tests."""
FULL = {"GatewayEdgesOverCapacity", "GatewayEdgeNearlyFull"}
GONE = {"GatewayAllDown", "GatewayDown"}


class _Collector(BaseHTTPRequestHandler):
    """Takes every export of OTLP."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def collector() -> Iterator[ThreadingHTTPServer]:
    """One that runs in a thread."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@dataclass
class Players:
    """Somebody who asks for a new title ten times a second, in a thread."""

    url: str
    paths: tuple[str, ...] = ("title/{n}.m3u8", "title/again.m3u8", "paid/granted.m3u8")
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """They ask."""
        thread = threading.Thread(target=self._run)
        thread.start()
        yield
        self._ended.set()
        thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as client:
            for number in count():
                if self._ended.wait(0.1):
                    return
                for path in self.paths:
                    asked = f"/v1/play/{path.format(n=number)}?session=s{number}"
                    headers = {"X-Forwarded-For": NORWAY}
                    if "granted" in path:
                        headers |= bearer(token())
                    with contextlib.suppress(httpx.TransportError):
                        client.get(asked, headers=headers)


@dataclass
class Scene:
    """All that runs."""

    folder: Path
    gateway: RunningGateway
    prometheus: PrometheusServer
    players: Players
    edges: list[EdgeProcess]
    origin: OriginProcess
    store: Valkey
    exports: ThreadingHTTPServer
    ca: Pair

    def replace(self, name: str, text: bytes | str) -> None:
        """Replace a file, as an editor does."""
        new = self.folder / "new"
        new.write_bytes(text if isinstance(text, bytes) else text.encode())
        new.replace(self.folder / name)

    def until_fires(self, names: set[str]) -> None:
        """Wait until all of these have fired, at any time from now on."""
        seen: set[str] = set()

        def fired() -> bool:
            found = self.prometheus.firing()
            seen.update(found)
            for name, alert in found.items():
                said = json.dumps(alert["annotations"])
                assert "no value" not in said, name
                assert "expanding template" not in said, said
                assert "{{" not in said, said
            return names <= seen

        self.prometheus.until(fired, names)


def _write_config(folder: Path, origin: str, edges: list[EdgeProcess], otlp: int, key: str) -> None:
    oslo = 'continents = ["EU"]\nlatitude = 59.9\nlongitude = 10.8\n'
    places = (oslo, oslo, 'continents = ["AS"]\nlatitude = 1.4\nlongitude = 103.8\n')
    tables = "".join(
        f'[[edges]]\nid = "edge-{at}"\nurl = "{edge.url}"\ncapacity_mbps = {mbps}\n{place}'
        for at, (edge, place, mbps) in enumerate(
            zip(edges, places, (10_000, 10_000, 5), strict=True)
        )
    )
    (folder / "gateway.toml").write_text(
        f"""
        [server]
        workers = 2
        [admin]
        sign_in = true
        [[admin.keys]]
        id = "prometheus"
        hash = "{key_hash(key)}"
        role = "viewer"
        scopes = ["metrics"]
        [admin.tls]
        certificate_file = "admin.pem"
        key_file = "admin-key.pem"
        [geo]
        database = "city.mmdb"
        [health]
        path = "healthz"
        [source]
        kind = "origin"
        url = "{origin}"
        [otlp]
        endpoint = "http://127.0.0.1:{otlp}/v1/metrics"
        interval_s = 1
        {PROTECT}
        [[tokens.jwks]]
        issuer = "https://login.example.com"
        file = "keys.json"
        """
        + tables,
        "utf-8",
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A gateway of two workers with all parts, its players, and Prometheus."""
    folder = tmp_path_factory.mktemp("scene")
    ca = authority(folder)
    issued(ca, folder, "admin")
    key = key_text("prometheus", os.urandom(32))
    (folder / "key").write_text(key)
    public = private("ES256").as_dict(private=False) | {"kid": "one"}
    (folder / "keys.json").write_text(json.dumps({"keys": [public]}))
    write_mmdb(folder / "city.mmdb", "GeoIP2-City", {"203.0.113.0/24": OSLO})
    with contextlib.ExitStack() as stack:
        use = stack.enter_context
        (folder / "redis").mkdir()
        store, origin = use(valkey(folder / "redis")), use(origin_process(folder))
        origin.set(paths={"/broken/master.m3u8": {"html": True}})
        edges, exports = use(edge_processes(3)), use(collector())
        _write_config(folder, origin.url, edges, exports.server_port, key)
        environ = {"GATEWAY_STORE__URL": store.url}
        gateway = use(running_gateway(folder / "gateway.toml", environ=environ))
        target = gateway.admin_url.removeprefix("https://")
        (folder / "prometheus").mkdir()
        prometheus = use(
            prometheus_server(folder / "prometheus", target, folder / "key", ca.certificate)
        )
        gateway.wait_for("started", 2)
        players = Players(gateway.url)
        use(players.asking())
        yield Scene(folder, gateway, prometheus, players, edges, origin, store, exports, ca)


OSLO = {
    **MINNEAPOLIS,
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "NO", "names": {"en": "Norway"}},
    "location": {"latitude": 59.91, "longitude": 10.75},
}


def test_every_query_runs_and_nothing_fires(scene: Scene) -> None:
    """Panels have series; alerts have none, and their parts do."""
    ask = scene.prometheus.query
    scene.prometheus.until(lambda: ask("job:gateway_requests:rate5m > 1"), "players are counted")
    scene.prometheus.until(lambda: ask('gateway_otlp_exports_total{outcome="done"} > 1'), "OTLP")
    scene.prometheus.until(lambda: ask("min(gateway_edge_state) == 1"), "edges are probed")
    empty = {
        panel.title
        for panels in ROWS.values()
        for panel in panels
        for expression, _ in panel.queries
        if not ask(_with_variables(expression))
    }
    unexpected = empty - NEVER_SEEN_WHEN_FINE
    assert not unexpected
    for rule in rules():
        found = ask(quickened(rule["expr"]))
        assert not found or "record" in rule or rule["alert"] in BUSY, (rule, found)
    assert not scene.prometheus.firing().keys() - BUSY


def _with_variables(expression: str) -> str:
    """As Grafana asks."""
    expression = expression.replace("$instance", ".*").replace("$__rate_interval", "5s")
    assert "$" not in expression
    return expression


def test_alerts_fire_when_parts_break(scene: Scene) -> None:
    """Edges first, whose viewers fill the last one; then everything else at once."""
    for edge in scene.edges[:2]:
        edge.kill()
    scene.until_fires(FULL | {"GatewayContinentDown", "GatewayEdgeDown"})
    scene.players.paths += ("broken.m3u8", "paid/{n}.m3u8", "paid/a.m3u8")
    scene.until_fires({"GatewaySourceUnreadable", "GatewayTokensRefused"})
    scene.edges[2].kill()
    scene.origin.kill()
    scene.store.kill()
    scene.exports.shutdown()
    scene.exports.server_close()
    scene.replace("keys.json", "{")
    scene.replace("city.mmdb", (scene.folder / "city.mmdb").read_bytes()[:100])
    short = issued(scene.ca, scene.folder / "short", "admin", days=1)
    scene.replace("admin-key.pem", short.key.read_bytes())
    scene.replace("admin.pem", short.certificate.read_bytes())
    scene.replace("gateway.toml", "nonsense")
    scene.until_fires({"GatewayConfigRefused"})
    os.kill(children(scene.gateway.process.pid)[0], signal.SIGKILL)  # its successor waits
    scene.until_fires(BROKEN - {"GatewaySourceUnreadable", "GatewayTokensRefused"})
    assert ["0"] == [found["value"][1] for found in scene.prometheus.query(RESETS)]


RESETS = "resets(process_cpu_seconds_total[10m])"


def test_a_gateway_that_is_killed(scene: Scene) -> None:
    """Prometheus sees that nobody answers."""
    scene.gateway.process.kill()
    scene.until_fires(GONE)
