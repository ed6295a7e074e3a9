"""How are edges found that the file does not name one by one?"""

from typing import Literal

from pydantic import Field

from gateway.config.fields import (
    DnsName,
    Flag,
    Milliseconds,
    Resolver,
    TimeToLive,
)
from gateway.config.section import Section


class EdgeDnsSettings(Section):
    """The table is a template: each record of the name gives one edge, `{id}-{host}`, whose url
    has the record's host, and the port of an SRV record."""

    name: DnsName = Field(examples=["edges.eu.example.com"])
    """The name to ask for."""
    type: Literal["A", "AAAA", "SRV"] = Field(examples=["SRV"])
    """The type of its records. With an https url it must be `SRV`, as certificates name hosts."""


class DnsSettings(Section):
    """Who is asked for the names of edges with `dns`, and how answers are kept."""

    resolvers: tuple[Resolver, ...]
    """Addresses of DNS servers, with a port where it is not 53; with none, the system's."""
    timeout_ms: Milliseconds
    """The longest that one question may take, over all servers and tries, in milliseconds."""
    min_refresh_s: TimeToLive
    """A name is not asked for again sooner, however short its records live, in seconds."""
    max_refresh_s: TimeToLive
    """A name is asked for again after so long, however long its records live, in seconds."""
    keep_empty_s: TimeToLive
    """How long edges stay after DNS says that their name has no records any more, in seconds."""


class RegistrySettings(Section):
    """Edges that register themselves over the store, with `gateway edge register`."""

    enabled: Flag
    """Use them. Whoever can write to the store can register an edge."""
