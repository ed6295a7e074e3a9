"""What may a configuration contain? Every section and every key, with its type and its meaning.

The text below a key is its documentation: ``docs/config.md`` and the JSON Schema are made from it.
The default values of sections are only in ``defaults.toml``; those of profiles and of the items of
lists are here.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from gateway.config.admin_settings import AdminSettings
from gateway.config.cmcd_settings import CmcdSettings
from gateway.config.dash_settings import DashSettings
from gateway.config.delivery_settings import (
    DeviceRuleSettings,
    EdgeSettings,
    LadderSettings,
    ProfileSettings,
)
from gateway.config.discovery_settings import DnsSettings, RegistrySettings
from gateway.config.event_settings import EventSettings
from gateway.config.fields import (
    RESTART,
    Bytes,
    Confidence,
    ConfigFile,
    ConfigFolder,
    Connections,
    Flag,
    FolderUrl,
    GeoDatabase,
    HeaderName,
    Host,
    HostName,
    Milliseconds,
    Network,
    Port,
    PriorNetworks,
    PriorViewers,
    PriorWindow,
    ProfileName,
    SampleAge,
    SampleSpacing,
    Seconds,
    Share,
    SizeLimit,
    SourcePath,
    SpeedFactor,
    StoreUrl,
    TimeToLive,
    TimeZone,
    WebOrigin,
    Workers,
)
from gateway.config.health_settings import HealthSettings
from gateway.config.key_settings import KeySettings
from gateway.config.origin_settings import OriginServerSettings, OriginSettings
from gateway.config.probe_settings import ProbeSettings
from gateway.config.rate_settings import RateSettings
from gateway.config.rule_settings import RuleSettings
from gateway.config.section import Section
from gateway.config.session_settings import SessionSettings
from gateway.config.start_settings import StartSettings
from gateway.config.steering_settings import SteeringSettings
from gateway.config.telemetry_settings import AccessLogSettings, OtlpSettings
from gateway.config.tls_settings import TlsSettings
from gateway.config.token_settings import TokenSettings
from gateway.listener import Listener


class ServerSettings(Section):
    """Where the gateway listens, and what its answers say."""

    host: Annotated[Host, RESTART]
    """Address to listen on; `0.0.0.0` is every IPv4 interface, `::` every interface."""
    port: Annotated[Port, RESTART]
    """TCP port to listen on; 0 takes any free one."""
    workers: Annotated[Workers, RESTART]
    """Processes that answer requests. One for each CPU core is a good choice."""
    shutdown_grace_s: Annotated[Seconds, RESTART]
    """How long requests may continue after the gateway was told to stop, in seconds."""
    head_timeout_s: Annotated[TimeToLive, RESTART]
    """Longest time for the headers of a request to arrive, in seconds (`docs/connections.md`)."""
    body_timeout_s: Annotated[TimeToLive, RESTART]
    """Longest time for the body of a request to arrive, in seconds."""
    idle_timeout_s: Annotated[TimeToLive, RESTART]
    """Longest time between two requests on a connection, in seconds."""
    write_timeout_s: Annotated[TimeToLive, RESTART]
    """Longest time that a peer may leave its answers unread, in seconds."""
    trusted_proxies: tuple[Network, ...]
    """Networks of the proxies whose `Forwarded`, `X-Forwarded-For` and `X-Forwarded-Proto` headers
    are trusted."""
    forwarded_headers: frozenset[Literal["forwarded", "x-forwarded-for"]]
    """The headers in which these proxies name the address of their clients. Name only what your
    proxies set: most of them pass on what a client has written into another one."""
    public_url: FolderUrl | None = Field(None, examples=["https://play.example.com/"])
    """URL at which players reach the gateway. Without it, the Host header of the request is used.
    URLs of live MPDs and of content steering are below it."""
    cors_origins: tuple[WebOrigin, ...] = Field(min_length=1)
    """Web origins whose pages may read answers (CORS)."""
    cors_allow_headers: tuple[HeaderName, ...]
    """Request headers that pages may send, besides those of players, CMCD, client hints and tracing
    (`docs/http.md`)."""
    compress_min_bytes: Bytes
    """Answers of at least this many bytes are compressed."""
    manifest_max_age_s: Seconds
    """How long a player may cache its personalised manifest, in seconds (`Cache-Control:
    max-age`)."""
    show_reasons: Flag
    """Whether JSON decisions for players have `reasons`, which name rules, edges and the URLs of
    origins. Those for operators always have."""
    decisions_on: frozenset[Listener]
    """Listeners that answer `POST /v1/decisions`."""
    allowed_hosts: tuple[HostName, ...]
    """Names in the Host header under which players may ask, besides `localhost`, IP addresses and
    the host of `public_url`; other requests are answered with 421. An empty list allows every name.
    `/livez` and `/readyz` answer under any."""
    tls: Annotated[TlsSettings | None, RESTART] = None
    """HTTPS instead of HTTP for players."""


class StoreSettings(Section):
    """The store that workers share. It holds cached decisions and the state of sessions."""

    url: StoreUrl
    """`embedded` (a Valkey that the gateway starts), `memory` (inside each worker, not shared), or
    a URL such as `redis://:password@host:6379/0`, `rediss://…` (TLS) or `unix:///path`. Clusters
    and sentinels are not supported."""
    timeout_ms: Milliseconds
    """The longest time that a request waits for the store, in milliseconds. Then it continues
    without."""
    decision_ttl_s: TimeToLive
    """How long the store keeps a decision, in seconds."""
    session_ttl_s: TimeToLive
    """How long the store keeps a session's record (speed, edges, playback) after its last request,
    in seconds."""


class GeoSettings(Section):
    """The databases that find the place of an address. Paths are relative to the configuration
    file."""

    database: GeoDatabase
    """`embedded`, or a GeoIP2, GeoLite2 or DB-IP City or Country file (.mmdb)."""
    asn_database: ConfigFile | None = Field(None, examples=["GeoLite2-ASN.mmdb"])
    """ASN file (.mmdb). Rules with an `asn` need it."""
    anonymous_ip_database: ConfigFile | None = Field(None, examples=["GeoIP2-Anonymous-IP.mmdb"])
    """Anonymous-IP file (.mmdb), which lists the addresses of VPNs, proxies and hosting
    networks."""


class SourceSettings(Section):
    """Where the source manifests come from."""

    kind: Literal["directory", "origin", "generated"]
    """`directory` reads them from `root`, `origin` fetches them below `url`, and `generated`
    builds them from `[ladder]` alone."""
    root: ConfigFolder | None = Field(None, examples=["catalogue"])
    """Folder of the source manifests, relative to the configuration file (kind `directory`)."""
    url: FolderUrl | None = Field(None, examples=["https://origin.example.com/vod/"])
    """URL of the origin (kind `origin`). List several origins as `[[origins]]` instead."""
    hls: SourcePath
    """Path of an asset's HLS multivariant playlist below `root` or `url`."""
    dash: SourcePath
    """Path of an asset's DASH manifest below `root` or `url`. A title may have a playlist, an
    MPD or both. Kind `generated` has no MPDs."""


class PolicySettings(Section):
    """Settings that apply to all rules."""

    default_profile: ProfileName
    """Profile of a request that no rule matches."""
    time_zone: TimeZone
    """Time zone of `time_of_day` in rules."""


class ThroughputSettings(Section):
    """How a session's measured speeds become one estimate (`docs/throughput.md`)."""

    rise_factor: SpeedFactor
    """The estimate is the newest sample, but at most this many times the weighted median of all."""
    fall_factor: SpeedFactor
    """The estimate is the newest sample, but at least the median divided by this."""
    newer_weight: Share
    """Weight in the median of a sample as a share of the weight of the next newer one."""
    half_life_s: TimeToLive
    """Time in which the weight of a sample halves, in seconds."""
    forget_s: SampleAge
    """Age beyond which a sample no longer counts, in seconds."""
    spacing_s: SampleSpacing
    """Samples of one source within this many seconds count as one, the lowest."""
    probe_weight: Share
    """Weight of a probe as a share of the weight of a player's measurement."""
    hint_confidence: Confidence
    """Confidence in what a browser says of its network (`Downlink`, `ECT`). An estimate with a
    lower one is used only without such a hint."""
    firm_confidence: Confidence
    """An estimate with this confidence is firm: one measurement that contradicts it is not
    believed before a second one confirms it."""
    contradiction_factor: SpeedFactor
    """A measurement contradicts a firm estimate that differs by more than this factor."""


class PriorSettings(Section):
    """What is known of a network before its viewer has measured anything (`docs/throughput.md`)."""

    enabled: Flag
    """Use what other viewers of a network measured, to select the rung to start on while the speed
    is unknown. It is shared by workers through Redis."""
    quantile: Share
    """The share of a network's viewers that are slower than its prior."""
    min_viewers: PriorViewers
    """A network has no prior while fewer viewers than this were counted in one window."""
    window_s: PriorWindow
    """Length of a window, in seconds. Each viewer counts once in it, and what it measured is used
    when the window has ended."""
    keep_s: TimeToLive
    """How long a prior is used after the end of its window, in seconds, if no newer one takes its
    place."""
    max_networks: PriorNetworks
    """Most networks that are counted in a window; each has at most 420 bytes in Redis."""


class LimitsSettings(Section):
    """Limits on what one request or one file may cost."""

    max_url_bytes: SizeLimit
    """Largest length of a request's path and query, in bytes."""
    max_connections: Annotated[Connections, RESTART]
    """Most connections that each worker has open at once."""
    max_connections_per_address: Annotated[Connections, RESTART]
    """Most connections of one IPv4 address or IPv6 /64 that each worker has open at once. Networks
    that `server.trusted_proxies` listed at the start are exempt."""
    max_playlist_bytes: Annotated[SizeLimit, RESTART]
    """Largest source manifest, in bytes. Its variables may add as much again, and an answer has at
    most twice as much."""
    local_cache_bytes: Annotated[Bytes, RESTART]
    """Total size of the finished manifests that each worker caches, in bytes."""


class CapacitySettings(Section):
    """How sessions use edges with a `capacity_mbps`."""

    lease_s: TimeToLive
    """How long a session counts towards the load of its edge after its last request, in seconds.
    The mean duration of a play is a good value: with a larger one capacity stays unused, with a
    smaller one edges are overloaded."""


class LogSettings(Section):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"]
    """The lowest level that is logged."""
    format: Literal["json", "console"]
    """`json` writes one object per line; `console` is easier for people to read."""


class Settings(Section):
    """A complete, validated configuration. :func:`gateway.config.load.load` builds it."""

    server: ServerSettings
    admin: AdminSettings
    store: Annotated[StoreSettings, RESTART]
    geo: Annotated[GeoSettings, RESTART]
    source: Annotated[SourceSettings, RESTART]
    origin: Annotated[OriginSettings, RESTART]
    origins: Annotated[tuple[OriginServerSettings, ...], RESTART] = ()
    limits: LimitsSettings
    rate: RateSettings
    throughput: ThroughputSettings
    prior: PriorSettings
    probe: ProbeSettings
    capacity: Annotated[CapacitySettings, RESTART]
    log: Annotated[LogSettings, RESTART]
    access_log: AccessLogSettings
    steering: SteeringSettings
    dash: DashSettings
    cmcd: CmcdSettings
    keys: KeySettings
    tokens: TokenSettings
    events: EventSettings
    sessions: SessionSettings
    otlp: Annotated[OtlpSettings, RESTART]
    dns: DnsSettings
    registry: RegistrySettings
    policy: PolicySettings
    profiles: Mapping[ProfileName, ProfileSettings]
    rules: tuple[RuleSettings, ...]
    start: StartSettings
    edges: tuple[EdgeSettings, ...] = Field(min_length=1)
    health: HealthSettings
    ladder: LadderSettings
    devices: tuple[DeviceRuleSettings, ...] = ()

    @cached_property
    def sets_cookies(self) -> bool:
        """Whether players get cookies, for edges or for tokens, and send those for tokens."""
        if self.tokens.enabled and self.tokens.cookies:
            return True
        tables = [edge.signing for edge in self.edges if edge.signing is not None]
        return any(table.signs_in == "cookie" for table in tables)
