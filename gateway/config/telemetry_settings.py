"""How are metrics exported?"""

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config import validators
from gateway.config.fields import Allowed, TimeToLive
from gateway.config.section import Section

CollectorUrl = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.absolute_url),
    Allowed("an absolute http(s) URL, such as http://127.0.0.1:4318/v1/metrics"),
]


class OtlpSettings(Section):
    """Metrics exported to a collector of OpenTelemetry (`docs/metrics.md`)."""

    endpoint: CollectorUrl | None = Field(None, examples=["http://127.0.0.1:4318/v1/metrics"])
    """The URL of the collector that takes metrics (OTLP over HTTP, protobuf). Nothing is exported
    without it. Needs the extra `otlp` of the package."""
    interval_s: TimeToLive
    """Time between two exports, in seconds."""
