"""What may a configuration hold? Every section and every key, with its type and its meaning.

The docstring under a key is its documentation: ``docs/config.md`` and the JSON Schema are made
from it. Default values of sections stand in ``defaults.toml`` alone; those of the items of lists
and of profiles stand here.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

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
    ConfigFile,
    ConfigFolder,
    Connections,
    FolderUrl,
    GeoDatabase,
    Host,
    Milliseconds,
    Network,
    Origin,
    Port,
    ProfileName,
    Seconds,
    SizeLimit,
    SourcePath,
    StoreUrl,
    TimeToLive,
    TimeZone,
    Workers,
)
from gateway.config.health_settings import HealthSettings
from gateway.config.origin_settings import OriginServerSettings, OriginSettings
from gateway.config.rule_settings import RuleSettings
from gateway.config.section import Section


class ServerSettings(Section):
    """Where the gateway listens, and what it tells players about itself."""

    host: Annotated[Host, RESTART]
    """Address to listen on; `0.0.0.0` is every IPv4 interface, `::` every interface."""
    port: Annotated[Port, RESTART]
    """TCP port to listen on; 0 takes any free one."""
    workers: Annotated[Workers, RESTART]
    """Processes that answer requests; one for each CPU core is a good number."""
    shutdown_grace_s: Annotated[Seconds, RESTART]
    """How long running requests may go on after the gateway was told to stop, in seconds."""
    head_timeout_s: Annotated[TimeToLive, RESTART]
    """The longest that a connection may take to send the headers of a request, in seconds
    (`docs/connections.md`)."""
    body_timeout_s: Annotated[TimeToLive, RESTART]
    """The longest that the body of a request may take to arrive, in seconds."""
    idle_timeout_s: Annotated[TimeToLive, RESTART]
    """How long a connection stays open between two requests, in seconds."""
    write_timeout_s: Annotated[TimeToLive, RESTART]
    """How long a connection stays open whose peer does not read its answers, in seconds."""
    trusted_proxies: tuple[Network, ...]
    """Networks whose `Forwarded` and `X-Forwarded-For` headers are believed."""
    public_url: FolderUrl | None = Field(None, examples=["https://play.example.com/"])
    """URL under which players reach the gateway; without it, the request's Host header says so."""
    cors_origins: tuple[Origin, ...] = Field(min_length=1)
    """Web origins whose pages may read the answers."""
    compress_min_bytes: Bytes
    """Answers of at least this many bytes are compressed."""
    manifest_max_age_s: Seconds
    """How long a player may keep a personalised manifest, in seconds (`Cache-Control: max-age`)."""


class StoreSettings(Section):
    """The store that workers share: cached decisions, and what is known of a session."""

    url: StoreUrl
    """Where it is: `embedded` (a Valkey that the gateway starts), `memory` (inside each worker),
    or a URL such as `redis://:password@host:6379/0`, `rediss://…` (TLS), or `unix:///path`."""
    timeout_ms: Milliseconds
    """The longest that a request waits for the store, in milliseconds; then it goes on without."""
    decision_ttl_s: TimeToLive
    """How long a decision is kept, in seconds."""
    session_ttl_s: TimeToLive
    """How long a session's measured speed and its edges are kept after its last request, in
    seconds."""


class GeoSettings(Section):
    """From address to place. Paths are relative to the configuration file."""

    database: GeoDatabase
    """`embedded`, or any GeoIP2, GeoLite2 or DB-IP City or Country file (.mmdb)."""
    asn_database: ConfigFile | None = Field(None, examples=["GeoLite2-ASN.mmdb"])
    """ASN file (.mmdb); needed by rules that name an `asn`."""
    anonymous_ip_database: ConfigFile | None = Field(None, examples=["GeoIP2-Anonymous-IP.mmdb"])
    """Anonymous-IP file (.mmdb)."""


class SourceSettings(Section):
    """Where the manifests come from that are personalised."""

    kind: Literal["directory", "origin", "generated"]
    """`directory` reads them from `root`, `origin` fetches them below `url`, and `generated`
    builds them from `[ladder]` alone."""
    root: ConfigFolder | None = Field(None, examples=["catalogue"])
    """Folder of the source manifests, relative to the configuration file (kind `directory`)."""
    url: FolderUrl | None = Field(None, examples=["https://origin.example.com/vod/"])
    """URL of the origin (kind `origin`); several are listed as `[[origins]]` instead."""
    hls: SourcePath
    """Path of an asset's HLS multivariant playlist below `root` or `url`."""
    dash: SourcePath
    """Path of an asset's DASH manifest below `root` or `url`."""


class PolicySettings(Section):
    """What the rules stand on."""

    default_profile: ProfileName
    """Profile of a request that no rule matches."""
    time_zone: TimeZone
    """Time zone of `time_of_day` in rules."""


class LimitsSettings(Section):
    """Bounds on what one request or one file may cost."""

    max_url_bytes: SizeLimit
    """Longest path and query of a request, in bytes."""
    max_connections: Annotated[Connections, RESTART]
    """Connections that each worker has open at once."""
    max_connections_per_address: Annotated[Connections, RESTART]
    """Those that each worker has open with one address, or one IPv6 /64. They are not counted for
    addresses that `server.trusted_proxies` named at the start."""
    max_playlist_bytes: Annotated[SizeLimit, RESTART]
    """Largest source manifest, in bytes."""
    local_cache_bytes: Annotated[Bytes, RESTART]
    """Finished manifests that each worker keeps in memory, in bytes altogether."""


class CapacitySettings(Section):
    """How sessions fill edges that have a `capacity_mbps`."""

    lease_s: TimeToLive
    """How long a session counts on its edge after its player last asked for the playlist, in
    seconds. About as long as a mean play is right: longer leaves room unused, shorter overfills."""


class LogSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"]
    """The least severe level that is written."""
    format: Literal["json", "console"]
    """`json` for machines, one object a line; `console` for people."""


class Settings(Section):
    """A whole configuration, checked. Build one with :func:`gateway.config.load.load`."""

    server: ServerSettings
    store: Annotated[StoreSettings, RESTART]
    geo: Annotated[GeoSettings, RESTART]
    source: Annotated[SourceSettings, RESTART]
    origin: Annotated[OriginSettings, RESTART]
    origins: Annotated[tuple[OriginServerSettings, ...], RESTART] = ()
    limits: LimitsSettings
    capacity: Annotated[CapacitySettings, RESTART]
    log: Annotated[LogSettings, RESTART]
    events: EventSettings
    dns: DnsSettings
    registry: RegistrySettings
    policy: PolicySettings
    profiles: Mapping[ProfileName, ProfileSettings]
    rules: tuple[RuleSettings, ...]
    edges: tuple[EdgeSettings, ...] = Field(min_length=1)
    health: HealthSettings
    ladder: LadderSettings
    devices: tuple[DeviceRuleSettings, ...] = ()
