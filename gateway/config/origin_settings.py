"""What may be configured of origins, from which source manifests are fetched?"""

from typing import Annotated

from pydantic import Field, SecretStr

from gateway.config.fields import (
    Allowed,
    AssetPrefix,
    Bytes,
    CertificateFile,
    Flag,
    FolderUrl,
    Milliseconds,
    Seconds,
    Secret,
    TimeToLive,
)
from gateway.config.section import Section

KeyId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._~-]{1,100}$"),
    Allowed("1 to 100 letters, digits, or any of . _ ~ -"),
]
RedirectHost = Annotated[
    str,
    Field(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?$"),
    Allowed("a host in lower case, with its port where that is not the scheme's own"),
]
Count = Annotated[int, Field(strict=True, ge=0, le=10), Allowed("a whole number from 0 to 10")]
Connections = Annotated[
    int, Field(strict=True, ge=1, le=10_000), Allowed("a whole number from 1 to 10000")
]
Failures = Annotated[int, Field(strict=True, ge=1, le=100), Allowed("a whole number from 1 to 100")]
Budget = Annotated[
    float, Field(strict=True, ge=0, le=1), Allowed("a share from 0 to 1, such as 0.2")
]


class OriginSettings(Section):
    """How origins are asked, and how long what they answer is used (`docs/origins.md`)."""

    connect_timeout_ms: Milliseconds
    """The longest that connecting may take, in milliseconds."""
    read_timeout_ms: Milliseconds
    """The longest silence, before and within an answer, in milliseconds."""
    total_timeout_ms: Milliseconds
    """The longest that a player waits for origins, all tries together, in milliseconds."""
    patience_ms: Milliseconds
    """The longest that a player waits for an origin while there is a stale copy, in milliseconds;
    then the copy is served."""
    min_bytes_per_s: Bytes
    """An answer that comes more slowly than this is given up after a second."""
    max_connections: Connections
    """Requests that each worker has under way to all origins together."""
    http2: Flag
    """Use HTTP/2 where an https origin offers it."""
    ca_file: CertificateFile | None = Field(None, examples=["origin-ca.pem"])
    """Certificates (PEM) that origins' certificates are checked against instead of the system's."""
    max_redirects: Count
    """Redirects that are followed for one request."""
    redirect_hosts: frozenset[RedirectHost]
    """Hosts, besides its own, that an origin may redirect to; https never leads to http."""
    bearer_token: Secret | None = Field(None, examples=["…"])
    """Sent as `Authorization: Bearer` to every origin that has no token of its own."""
    hmac_key: Secret | None = Field(None, examples=["…"])
    """Signs requests (RFC 9421, `hmac-sha256`) to every origin that has no key of its own."""
    hmac_key_id: KeyId
    """Name of that key, for the origin."""
    retries: Count
    """Further tries, after connection errors, timeouts, and the answers 429, 500, 502, 503, 504."""
    retry_budget: Budget
    """Retries may be this share of requests at most."""
    breaker_failures: Failures
    """An origin is left alone when so many of twice as many requests in a row have failed."""
    breaker_open_ms: Milliseconds
    """How long it is left alone at first, in milliseconds; then it is tried, and doubled while
    that fails."""
    breaker_max_open_ms: Milliseconds
    """How long it is left alone at most, in milliseconds."""
    default_fresh_s: Seconds
    """How long an answer is fresh that says nothing of it, in seconds."""
    min_fresh_s: Seconds
    """The least that an answer is fresh, whatever it says, in seconds."""
    max_fresh_s: TimeToLive
    """The most that an answer is fresh, whatever it says, in seconds."""
    stale_while_revalidate_s: Seconds
    """How long a stale copy is served while the origin is asked, where it says nothing, in seconds.
    """
    max_stale_while_revalidate_s: Seconds
    """The most of that, whatever the origin says, in seconds."""
    stale_if_error_s: Seconds
    """How long a stale copy is served while the origin fails, where it says nothing, in seconds."""
    max_stale_if_error_s: Seconds
    """The most of that, whatever the origin says, in seconds."""
    not_found_s: Seconds
    """How long a 404 or 410 is remembered, in seconds."""
    failure_s: Seconds
    """How long a failure for an asset is remembered before the origin is asked again, in seconds.
    """
    memory_bytes: Bytes
    """Copies that each worker keeps in memory, in bytes altogether."""


class OriginServerSettings(Section):
    """An origin. Several with one prefix are asked in the order in which they are listed."""

    url: FolderUrl = Field(examples=["https://origin.example.com/vod/"])
    """Source manifests are below it; `source.hls` says where."""
    asset_prefix: AssetPrefix | None = Field(None, examples=["kids/"])
    """Start of the ids of the assets that are here; the longest prefix decides, and an origin
    without one has all others."""
    bearer_token: Secret | None = Field(None, examples=["…"])
    """Sent as `Authorization: Bearer`, instead of `origin.bearer_token`."""
    hmac_key: Secret | None = Field(None, examples=["…"])
    """Signs requests, instead of `origin.hmac_key`."""
    hmac_key_id: KeyId | None = Field(None, examples=["gateway-2"])
    """Name of the key, instead of `origin.hmac_key_id`."""


def revealed(secret: SecretStr | None) -> str | None:
    """A secret as text, for the one that uses it."""
    return None if secret is None else secret.get_secret_value()
