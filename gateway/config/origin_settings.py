"""How are the origins configured from which source manifests are fetched?"""

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
    Allowed("a host in lower case, with its port unless it is the default of the scheme"),
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
    """How manifests are requested from origins, and how long their answers are used
    (`docs/origins.md`)."""

    connect_timeout_ms: Milliseconds
    """The longest time for connecting, in milliseconds."""
    read_timeout_ms: Milliseconds
    """The longest time without data, before and during an answer, in milliseconds."""
    total_timeout_ms: Milliseconds
    """The longest time that a player waits for origins, including retries, in milliseconds."""
    patience_ms: Milliseconds
    """The longest time that a player waits for an origin while there is a stale copy, in
    milliseconds. Then the copy is served."""
    min_bytes_per_s: Bytes
    """An answer that is slower than this is given up after one second."""
    max_connections: Connections
    """The most requests that each worker sends at the same time, to all origins together."""
    http2: Flag
    """Use HTTP/2 when an https origin offers it."""
    ca_file: CertificateFile | None = Field(None, examples=["origin-ca.pem"])
    """CA certificates (PEM) that are trusted for origins instead of the system's."""
    max_redirects: Count
    """The most redirects that are followed for one request."""
    redirect_hosts: frozenset[RedirectHost]
    """Other hosts to which an origin may redirect. A redirect from https to http is never
    followed."""
    bearer_token: Secret | None = Field(None, examples=["…"])
    """Sent as `Authorization: Bearer` to every origin without a token of its own."""
    hmac_key: Secret | None = Field(None, examples=["…"])
    """Signs requests (RFC 9421, `hmac-sha256`) to every origin without a key of its own."""
    hmac_key_id: KeyId
    """The id of that key, sent with the signature."""
    retries: Count
    """The most retries of a request, after connection errors, timeouts, and the statuses 429, 500,
    502, 503 and 504."""
    retry_budget: Budget
    """The largest share of requests that may be retries."""
    breaker_failures: Failures
    """The circuit breaker of an origin opens when this many of the last requests have failed; twice
    as many are considered."""
    breaker_open_ms: Milliseconds
    """How long the breaker stays open at first, in milliseconds. Then one request tries the origin;
    the time doubles while this fails."""
    breaker_max_open_ms: Milliseconds
    """The longest time that the breaker stays open, in milliseconds."""
    default_fresh_s: Seconds
    """How long an answer without `Cache-Control` or `Expires` is fresh, in seconds."""
    min_fresh_s: Seconds
    """The shortest time that an answer is fresh, whatever its headers say, in seconds."""
    max_fresh_s: TimeToLive
    """The longest time that an answer is fresh, whatever its headers say, in seconds."""
    stale_while_revalidate_s: Seconds
    """How long a stale copy is served while it is revalidated, when the origin does not say, in
    seconds."""
    max_stale_while_revalidate_s: Seconds
    """The longest such time, whatever the origin says, in seconds."""
    stale_if_error_s: Seconds
    """How long a stale copy is served while the origin fails, when the origin does not say, in
    seconds."""
    max_stale_if_error_s: Seconds
    """The longest such time, whatever the origin says, in seconds."""
    max_stale_live_s: Seconds
    """The longest such time for a live MPD, whatever the origin says, in seconds. A player whose
    refresh fails may never refresh again; one that gets an old MPD does."""
    not_found_s: Seconds
    """How long a 404 or 410 is remembered, in seconds."""
    failure_s: Seconds
    """How long any other failure for an asset is remembered before the origin is asked again, in
    seconds."""
    memory_bytes: Bytes
    """Total size of the copies that each worker keeps in memory, in bytes."""


class OriginServerSettings(Section):
    """One origin. Origins with the same prefix are tried in the order in which they are listed."""

    url: FolderUrl = Field(examples=["https://origin.example.com/vod/"])
    """Source manifests are below this URL, at the path of `source.hls`."""
    asset_prefix: AssetPrefix | None = Field(None, examples=["kids/"])
    """Prefix of the ids of the assets on this origin. The longest matching prefix decides; an
    origin without one has all other assets."""
    bearer_token: Secret | None = Field(None, examples=["…"])
    """Sent as `Authorization: Bearer`, instead of `origin.bearer_token`."""
    hmac_key: Secret | None = Field(None, examples=["…"])
    """Signs requests, instead of `origin.hmac_key`."""
    hmac_key_id: KeyId | None = Field(None, examples=["gateway-2"])
    """The id of the key, instead of `origin.hmac_key_id`."""


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret, for the code that sends it."""
    return None if secret is None else secret.get_secret_value()
