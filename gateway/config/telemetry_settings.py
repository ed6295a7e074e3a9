"""How is telemetry exported, and which requests are logged?"""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from gateway.config import validators
from gateway.config.fields import Allowed, Flag, Share, TimeToLive
from gateway.config.section import Section, fault

CollectorUrl = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.absolute_url),
    Allowed("an absolute http(s) URL, such as http://127.0.0.1:4318/v1/metrics"),
]

FromStatus = Annotated[
    int,
    Strict(),
    Field(ge=400, le=600),
    Allowed("a status code from 400 to 599, or 600 for none"),
]


class AccessLogSettings(Section):
    """One line for each answer in the log (`docs/logs.md`)."""

    enabled: Flag
    """Write the access log. Its lines have the level `info`, so `log.level` must be `info` or
    `debug`."""
    share: Share
    """Share of the answers that are logged, chosen at random."""
    always_from_status: FromStatus
    """Answers with this status code or a greater one are logged whatever the share is. With 600,
    none is."""
    address: Flag
    """Log the network of the client: the first 24 bits of an IPv4 address, 56 of an IPv6 one."""
    whole_address: Flag
    """Log the whole address instead. Needs `address`."""

    @model_validator(mode="after")
    def _asks_for_addresses(self) -> Self:
        if self.whole_address and not self.address:
            allowed = "false, or true with address = true"
            raise fault("whole_address", "needs access_log.address = true", allowed)
        return self


TracesUrl = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.absolute_url),
    Allowed("an absolute http(s) URL, such as http://127.0.0.1:4318/v1/traces"),
]


class OtlpSettings(Section):
    """Metrics and traces exported to a collector of OpenTelemetry (`docs/metrics.md`)."""

    endpoint: CollectorUrl | None = Field(None, examples=["http://127.0.0.1:4318/v1/metrics"])
    """The URL of the collector that takes metrics (OTLP over HTTP, protobuf). Nothing is exported
    without it. Needs the extra `otlp` of the package."""
    interval_s: TimeToLive
    """Time between two exports, in seconds."""
    traces_endpoint: TracesUrl | None = Field(None, examples=["http://127.0.0.1:4318/v1/traces"])
    """The URL of the collector that takes traces of requests. None are made without it. Needs the
    extra `otlp` of the package."""
    traces_share: Share
    """Share of the requests that are traced, chosen at random. A `traceparent` that comes from
    `server.trusted_proxies` decides for its own request."""
