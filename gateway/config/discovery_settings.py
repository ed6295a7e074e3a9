"""How are edges found that the file does not list one by one?"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.config import validators
from gateway.config.fields import (
    Allowed,
    DnsName,
    Flag,
    Milliseconds,
    Resolver,
    TimeToLive,
)
from gateway.config.key_settings import RingKeySettings
from gateway.config.section import Section, fault
from gateway.config.signing_check import check_signing
from gateway.config.signing_settings import EdgeSigningSettings

EdgeUrlPattern = Annotated[
    str,
    AfterValidator(validators.edge_url_pattern),
    Allowed('a URL such as "https://*.cdn.example.com/videos/"; host and port may be *'),
]


class EdgeDnsSettings(Section):
    """Makes the table a template: each record of the name gives one edge with the id `{id}-{host}`.
    Its url has the host of the record, and the port of an SRV record."""

    name: DnsName = Field(examples=["edges.eu.example.com"])
    """The DNS name."""
    type: Literal["A", "AAAA", "SRV"] = Field(examples=["SRV"])
    """The type of its records. With an https url it must be `SRV`, because certificates are for
    host names, not for addresses."""


class DnsSettings(Section):
    """Which DNS servers resolve the names of edges with `dns`, and how long answers are used."""

    resolvers: tuple[Resolver, ...]
    """Addresses of DNS servers, with a port if it is not 53. An empty list uses the system's."""
    timeout_ms: Milliseconds
    """The longest time for one question, including all servers and retries, in milliseconds."""
    min_refresh_s: TimeToLive
    """A name is looked up again after the TTL of its records, but never sooner than this, in
    seconds."""
    max_refresh_s: TimeToLive
    """A name is looked up again after the TTL of its records, but never later than this, in
    seconds."""
    keep_empty_s: TimeToLive
    """How long edges are kept after DNS has answered that their name has no records, in seconds.
    They are kept without limit while DNS does not answer."""


class RegistrySettings(Section):
    """Edges that register themselves in the store, with `gateway edge register`."""

    enabled: Flag
    """Use registered edges, whose announcements one of `keys` has signed."""
    keys: tuple[RingKeySettings, ...] = ()
    """The keys that sign announcements. `gateway edge register` uses the active one."""
    urls: tuple[EdgeUrlPattern, ...]
    """What the URLs of registered edges may be. A host may begin with `*.`, which is any name below
    it, or be `*`; a port may be `*`."""
    signing: EdgeSigningSettings | None = None
    """Signs the URLs of all registered edges. A registration cannot have a `signing` of its own,
    since the store must hold no secrets of edges."""

    @model_validator(mode="after")
    def _is_restricted(self) -> Self:
        for key, given, allowed in (
            ("keys", self.keys, "[[registry.keys]]; announcements are signed"),
            ("urls", self.urls, 'patterns such as "https://*.cdn.example.com/"'),
        ):
            if self.enabled and not given:
                raise fault(key, "is empty; registry.enabled is true", allowed)
        return self

    @model_validator(mode="after")
    def _can_be_signed(self) -> Self:
        if self.signing is None:
            return self
        if self.signing.signs_in == "cookie":
            problem = "is not possible; hosts of registered edges may not be below cookie_domain"
            raise fault("signing.carrier", problem, "path")
        check_signing(self.signing, "https://registered.example/")
        return self
