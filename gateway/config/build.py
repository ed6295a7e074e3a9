"""Builds the values that the core uses from the settings."""

import json
from hashlib import blake2b
from typing import Final

from gateway.config.delivery_settings import EdgeSettings, ProfileSettings
from gateway.config.rule_settings import RuleSettings, WhenSettings
from gateway.config.schema import Settings
from gateway.config.validators import parse_window
from gateway.decision import Policy
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition
from gateway.edge.resolved import DnsQuestion, EdgeTemplate
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, When

_DECISIVE: Final = {"policy", "profiles", "rules", "edges", "ladder", "source", "devices"}
"""The sections on which a cached decision depends."""


def policy_of(settings: Settings) -> Policy:
    """The policy of these settings."""
    return Policy(
        profiles={name: _profile(name, given) for name, given in settings.profiles.items()},
        rules=tuple(map(_rule, settings.rules)),
        default_profile=settings.policy.default_profile,
        edges=tuple(map(edge_of, (edge for edge in settings.edges if edge.dns is None))),
        time_zone=settings.policy.time_zone,
        version=version_of(settings),
    )


def version_of(settings: Settings) -> str:
    """16 hexadecimal digits that depend only on the values in the decisive sections."""
    tables = settings.model_dump(include=_DECISIVE)
    text = json.dumps(tables, sort_keys=True, default=_plain)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _plain(value: object) -> object:
    """A form for values that JSON does not have: paths, and sets in sorted order."""
    return sorted(value, key=str) if isinstance(value, frozenset) else str(value)


def _profile(name: str, given: ProfileSettings) -> Profile:
    return Profile(name=name, **dict(given))


def templates_of(settings: Settings) -> tuple[EdgeTemplate, ...]:
    """The edges with hosts from DNS."""
    return tuple(
        EdgeTemplate(edge_of(given), DnsQuestion(given.dns.name, given.dns.type))
        for given in settings.edges
        if given.dns is not None
    )


def drains_of(settings: Settings) -> dict[str, EdgeCondition]:
    """The conditions of edges and templates that the configuration drains, by id."""
    drained = EdgeCondition("draining", admits=0.0, why="drained by the config")
    return {given.id: drained for given in settings.edges if given.drain}


def edge_of(given: EdgeSettings) -> Edge:
    """The edge of one table."""
    capacity = given.capacity_mbps
    return Edge(
        id=given.id,
        url=given.url,
        latitude=given.latitude,
        longitude=given.longitude,
        countries=given.countries,
        continents=given.continents,
        weight=given.weight,
        fallback=given.fallback,
        capacity_kbps=None if capacity is None else round(capacity * 1000),
        health_url=given.health_url,
        health_playlist=given.health_playlist,
    )


def _rule(given: RuleSettings) -> Rule:
    return Rule(when=_when(given.when), profile=given.profile, name=given.name or "")


def _when(given: WhenSettings) -> When:
    windows = given.time_of_day
    return When(
        device=None if given.device is None else frozenset(kind.value for kind in given.device),
        os=_folded(given.os),
        player=_folded(given.player),
        country=given.country,
        continent=None if given.continent is None else frozenset(map(str, given.continent)),
        asn=given.asn,
        speed_below_kbps=given.speed_below_kbps,
        speed_at_least_kbps=given.speed_at_least_kbps,
        speed_above_kbps=given.speed_above_kbps,
        speed_known=given.speed_known,
        save_data=given.save_data,
        asset_prefix=given.asset_prefix,
        time_of_day=None if windows is None else tuple(map(parse_window, windows)),
    )


def _folded(names: frozenset[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.casefold() for name in names)
