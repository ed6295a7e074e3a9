"""What is attacked? A gateway of two workers on loopback, with a real Valkey, put together anew for
each kind of attack.

Attacks of one stage run one after the other on the same gateway.
"""

import contextlib
import re
import shutil
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.trust.operators.api_key import key_hash, key_text
from tests.attack import watched
from tests.certificates import authority, issued
from tests.integration.running import RunningGateway, running_gateway
from tests.ports import free_port
from tests.unit.store.servers import Valkey, valkey

Staging = Callable[[Path], contextlib.AbstractContextManager["Stage"]]

CONFORMANCE = Path(__file__).parents[1] / "conformance"
EDGE = "https://edge.example/vod/"
WORKERS = 2
HLS_TITLES = ("A2.2-unknown-tags-and-attributes-stay", "A5.2-define")
"""Enough of the conformance set to have every kind of manifest; the rest follows by its name."""


@dataclass
class Stage:
    """A running gateway, its Valkey, and the folder of its sources."""

    gateway: RunningGateway
    server: Valkey
    folder: Path

    @property
    def port(self) -> int:
        """The players' port."""
        return port_of(self.gateway.url)

    @property
    def admin_port(self) -> int:
        """The operators' port."""
        return port_of(self.gateway.admin_url)

    @property
    def loops(self) -> Path:
        """Where the workers note how long their event loops were busy."""
        return self.folder / "loops"


@dataclass
class OriginStage(Stage):
    """A gateway whose manifests come from an origin. Attacks start their own servers on these
    ports: the origin, an edge that is probed, and one that nobody may make the gateway ask."""

    origin_port: int
    edge_port: int
    inner_port: int


@dataclass
class OidcStage(Stage):
    """A gateway whose operators sign in at a provider on ``provider_port``, which the attack
    starts."""

    provider_port: int


@dataclass
class TlsStage(Stage):
    """A gateway that speaks HTTPS; ``authority`` is the file with the certificate that vouches for
    it."""

    authority: Path


def port_of(url: str) -> int:
    """The port of a URL."""
    port = urlsplit(url).port
    assert port is not None
    return port


def conformance_sources() -> list[tuple[str, Path]]:
    """The name and the file of each source of the conformance sets, playlists first."""
    files = sorted(CONFORMANCE.glob("*/*/source.*"))
    return [(file.parent.name, file) for file in files if file.suffix in {".m3u8", ".mpd"}]


def asset_of(name: str) -> str:
    """The asset id for a case of the conformance set."""
    return re.sub(r"[^A-Za-z0-9._~-]", "-", name)


PLAIN_HLS = (
    "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    '#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=426x240,CODECS="avc1.4d4015,mp4a.40.2"\n'
    "240p.m3u8\n"
    '#EXT-X-STREAM-INF:BANDWIDTH=1200000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2"\n'
    "720p.m3u8\n"
)
IMPORTING_HLS = (
    '#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:QUERYPARAM="viewer"\n'
    '#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=426x240,CODECS="avc1.4d4015,mp4a.40.2"\n'
    "240p.m3u8?v={$viewer}\n"
)
LIVE_MPD = """\
<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" minimumUpdatePeriod="PT2S"
 availabilityStartTime="2026-01-01T00:00:00Z" minBufferTime="PT2S"
 profiles="urn:mpeg:dash:profile:isoff-live:2011">
<Period id="1" start="PT0S"><AdaptationSet mimeType="video/mp4" segmentAlignment="true">
<SegmentTemplate duration="2" media="$RepresentationID$/$Number$.m4s" initialization="i.mp4"/>
<Representation id="a" codecs="avc1.4d4015" bandwidth="400000" width="426" height="240"/>
<Representation id="b" codecs="avc1.4d401f" bandwidth="1200000" width="1280" height="720"/>
</AdaptationSet></Period></MPD>
"""


def write_catalogue(root: Path) -> list[str]:
    """The conformance sources, and titles of known content; returns the assets of the former."""
    assets = []
    for name, file in conformance_sources():
        asset = asset_of(name)
        (root / asset).mkdir(parents=True, exist_ok=True)
        target = "master.m3u8" if file.suffix == ".m3u8" else "manifest.mpd"
        shutil.copyfile(file, root / asset / target)
        assets.append(asset + file.suffix)
    for asset, name, text in (
        ("film", "master.m3u8", PLAIN_HLS),
        ("mine", "master.m3u8", IMPORTING_HLS),
        ("live", "manifest.mpd", LIVE_MPD),
        ("nordic", "manifest.mpd", LIVE_MPD),
        ("broken", "master.m3u8", "<html>\n"),
    ):
        (root / asset).mkdir(parents=True, exist_ok=True)
        (root / asset / name).write_text(text, "utf-8")
    return assets


RING_SECRET = "a-secret-of-these-attacks-0123456789abcdef"
BASE = """
[server]
public_url = "https://play.example/"
head_timeout_s = 2
body_timeout_s = 2
idle_timeout_s = 5
write_timeout_s = 2
[source]
kind = "directory"
root = "catalogue"
[dash]
class_manifests = true
[[keys.ring]]
id = "k1"
secret = "RING_SECRET"
status = "active"
[rate]
exempt = ["0.0.0.0/0", "::/0"]
[events]
enabled = true
[cmcd]
stream = true
[probe]
network_bytes_per_min = 1_000_000_000
network_requests_per_min = 1_000_000
[[edges]]
id = "one"
url = "https://edge.example/vod/"
fallback = true
continents = ["EU"]
[[edges]]
id = "two"
url = "https://two.edge.example/vod/"
continents = ["NA"]
[[edges]]
id = "three"
url = "https://three.edge.example/vod/"
continents = ["AS"]
""".replace("RING_SECRET", RING_SECRET)


@contextlib.contextmanager
def gateway_on(
    folder: Path,
    config: str,
    environ: Mapping[str, str] | None = None,
    workers: int = WORKERS,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[RunningGateway, Valkey]]:
    """A watched gateway with this config, on a Valkey of its own."""
    (folder / "redis").mkdir()
    (folder / "loops").mkdir()
    (folder / "gateway.toml").write_text(config, "utf-8")
    with valkey(folder / "redis") as server:
        environment = {
            "GATEWAY_STORE__URL": server.url,
            "GATEWAY_STORE__TIMEOUT_MS": "1000",
            watched.FOLDER: str(folder / "loops"),
            **(environ or {}),
        }
        arguments = ("--workers", str(workers))
        with running_gateway(
            folder / "gateway.toml",
            *arguments,
            environ=environment,
            module="tests.attack.watched",
            tls=tls,
        ) as gateway:
            gateway.wait_for("started", workers)
            yield gateway, server


LICENSED = """
[tokens]
enabled = true
[[tokens.protect]]
asset_prefix = "nordic"
access = "open"
countries = ["NO"]
"""
"""A title that is licensed in one country has no class manifests, but refreshes with a state."""


@contextlib.contextmanager
def directory_stage(folder: Path) -> Iterator[Stage]:
    """A gateway with the sources of the conformance sets in a folder."""
    write_catalogue(folder / "catalogue")
    with gateway_on(folder, BASE + LICENSED) as (gateway, server):
        yield Stage(gateway, server, folder)


@contextlib.contextmanager
def debug_stage(folder: Path) -> Iterator[Stage]:
    """The same with a line in the log for each request."""
    write_catalogue(folder / "catalogue")
    with gateway_on(folder, BASE, {"GATEWAY_LOG__LEVEL": "debug"}) as (gateway, server):
        yield Stage(gateway, server, folder)


ORIGIN = """
[rate]
exempt = ["0.0.0.0/0", "::/0"]
[source]
kind = "origin"
url = "http://127.0.0.1:{origin}/vod/"
[origin]
read_timeout_ms = 2000
total_timeout_ms = 4000
failure_s = 0
not_found_s = 0
retries = 0
breaker_failures = 100
max_redirects = 3
[health]
path = "healthz"
interval_ms = 200
[[edges]]
id = "one"
url = "http://127.0.0.1:{edge}/vod/"
fallback = true
"""


@contextlib.contextmanager
def origin_stage(folder: Path) -> Iterator[OriginStage]:
    """A gateway whose manifests come from an origin on loopback."""
    ports = [free_port() for _ in range(3)]
    origin, edge, inner = ports
    config = ORIGIN.format(origin=origin, edge=edge)
    with gateway_on(folder, config) as (gateway, server):
        yield OriginStage(gateway, server, folder, origin, edge, inner)


TLS = """
[server]
head_timeout_s = 2
[server.tls]
certificate_file = "{certificate}"
key_file = "{key}"
[[edges]]
id = "one"
url = "https://edge.example/vod/"
fallback = true
"""


@contextlib.contextmanager
def tls_stage(folder: Path) -> Iterator[TlsStage]:
    """A gateway that speaks HTTPS alone to players."""
    for name in ("ca", "leaf"):
        (folder / name).mkdir()
    ca = authority(folder / "ca")
    leaf = issued(ca, folder / "leaf")
    config = TLS.format(certificate=leaf.certificate, key=leaf.key)
    trusting = ssl.create_default_context(cafile=ca.certificate)
    with gateway_on(folder, config, tls=trusting) as (gateway, server):
        yield TlsStage(gateway, server, folder, ca.certificate)


@contextlib.contextmanager
def mutual_tls_stage(folder: Path) -> Iterator[TlsStage]:
    """A gateway that asks players for a certificate of its authority, whose files are in ``ca``."""
    for name in ("ca", "leaf"):
        (folder / name).mkdir()
    ca = authority(folder / "ca")
    leaf = issued(ca, folder / "leaf")
    client = issued(ca, folder / "ca", "client")
    asks = f'client_certificates = "required"\nclient_ca_file = "{ca.certificate}"\n[[edges]]'
    config = TLS.format(certificate=leaf.certificate, key=leaf.key).replace("[[edges]]", asks)
    trusting = ssl.create_default_context(cafile=ca.certificate)
    trusting.load_cert_chain(client.certificate, client.key)
    with gateway_on(folder, config, tls=trusting) as (gateway, server):
        yield TlsStage(gateway, server, folder, ca.certificate)


OPERATOR_KEY = key_text("ops", b"o" * 32)
TOKEN_SECRET = "0123456789abcdef0123456789abcdef"
SERVICE_SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
GUARDED = f"""
[server]
trusted_proxies = []
[admin]
sign_in = true
[[admin.keys]]
id = "ops"
hash = "{key_hash(OPERATOR_KEY)}"
role = "admin"
[[admin.services]]
id = "packager"
secret = "{SERVICE_SECRET}"
role = "operator"
scopes = ["purge"]
[rate]
manifests_per_s = 5
manifests_burst = 20
[[edges]]
id = "one"
url = "https://edge.example/vod/"
fallback = true
"""


TOKENS = f"""
{BASE}
[admin]
sign_in = true
[[admin.keys]]
id = "ops"
hash = "{key_hash(OPERATOR_KEY)}"
role = "admin"
[tokens]
enabled = true
[[tokens.keys]]
id = "k"
algorithm = "HS256"
secret = "{TOKEN_SECRET}"
[[tokens.protect]]
asset_prefix = ""
"""


REDIRECT_URL = "https://gateway.example/v1/sign-in/callback"
"""Over https, so that cookies have the names and attributes that they have behind TLS."""
OIDC = """
[admin]
sign_in = true
[[admin.keys]]
id = "ops"
hash = "{hash}"
role = "admin"
[admin.oidc]
issuer = "http://127.0.0.1:{port}"
client_id = "gateway"
client_secret = "a-secret"
role_claim = "realm.roles"
roles = {{ admins = "admin", staff = "viewer" }}
redirect_url = "{redirect_url}"
"""


@contextlib.contextmanager
def oidc_stage(folder: Path) -> Iterator[OidcStage]:
    """A gateway whose operators sign in by OpenID Connect. It believes in forwarded addresses, so
    that an attack is not ended by the limit of failed sign-ins."""
    write_catalogue(folder / "catalogue")
    port = free_port()
    hashed = key_hash(OPERATOR_KEY)
    config = BASE + OIDC.format(hash=hashed, port=port, redirect_url=REDIRECT_URL)
    with gateway_on(folder, config) as (gateway, server):
        yield OidcStage(gateway, server, folder, port)


@contextlib.contextmanager
def token_stage(folder: Path) -> Iterator[Stage]:
    """A gateway whose titles all want a token."""
    write_catalogue(folder / "catalogue")
    with gateway_on(folder, TOKENS) as (gateway, server):
        yield Stage(gateway, server, folder)


@contextlib.contextmanager
def guarded_stage(folder: Path) -> Iterator[Stage]:
    """A gateway that trusts no proxy, where operators sign in, with low limits."""
    with gateway_on(folder, GUARDED) as (gateway, server):
        yield Stage(gateway, server, folder)


@contextlib.contextmanager
def no_stage(folder: Path) -> Iterator[Stage]:
    """Nothing runs: the attack starts what it needs in the folder."""
    yield Stage(None, None, folder)  # type: ignore[arg-type]


class Stages:
    """The stage that is set right now; at most one is."""

    def __init__(self, folder: Path) -> None:
        """``folder`` takes what the stages write."""
        self._folder = folder
        self._set: tuple[Staging, Stage] | None = None
        self._stack = contextlib.ExitStack()
        self._count = 0

    def use(self, staging: Staging) -> Stage:
        """The stage of this kind: the one that is set, or a new one."""
        if self._set is None or self._set[0] is not staging:
            self.clear()
            self._count += 1
            folder = self._folder / f"{self._count}"
            folder.mkdir()
            self._set = staging, self._stack.enter_context(staging(folder))
        return self._set[1]

    def clear(self) -> None:
        """End what is set; the next attack gets a new one."""
        self._set = None
        self._stack.close()
        self._stack = contextlib.ExitStack()
