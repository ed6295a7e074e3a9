"""What the config says about origins, in the units that this package uses."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OriginServer:
    """One origin. ``url`` ends with a slash; an empty ``asset_prefix`` matches every asset."""

    url: str
    asset_prefix: str = ""
    bearer_token: str | None = field(default=None, repr=False)
    hmac_key: str | None = field(default=None, repr=False)
    hmac_key_id: str = "gateway"


@dataclass(frozen=True, slots=True)
class FreshnessBounds:
    """Bounds on the freshness that origins declare, in seconds; ``docs/origins.md`` says how they
    apply."""

    default_fresh_s: float = 10
    min_fresh_s: float = 1
    max_fresh_s: float = 3600
    stale_while_revalidate_s: float = 30
    max_stale_while_revalidate_s: float = 3600
    stale_if_error_s: float = 86_400
    max_stale_if_error_s: float = 604_800
    max_stale_live_s: float = 300


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits and options of one request to an origin."""

    connect_timeout_s: float = 1.0
    read_timeout_s: float = 4.0
    min_bytes_per_s: int = 2000
    max_bytes: int = 2_000_000
    max_connections: int = 64
    http2: bool = True
    max_redirects: int = 3
    redirect_hosts: frozenset[str] = frozenset()
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class OriginConfig:
    """Everything about origins. ``total_timeout_s`` bounds a player's wait; ``patience_s`` bounds
    it while a stale copy could be served."""

    origins: tuple[OriginServer, ...]
    request: RequestLimits = RequestLimits()
    freshness: FreshnessBounds = FreshnessBounds()
    total_timeout_s: float = 8.0
    patience_s: float = 0.3
    retries: int = 2
    retry_budget: float = 0.2
    breaker_failures: int = 5
    breaker_open_s: float = 1.0
    breaker_max_open_s: float = 5.0
    not_found_s: float = 5
    failure_s: float = 1
    memory_bytes: int = 64_000_000
