"""Builds the values that the core uses from the settings."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from gateway.client.device import DeviceRule
from gateway.client.estimate import EstimatorConfig
from gateway.client.facts import DeviceKind
from gateway.client.prior import PriorConfig
from gateway.config.delivery_settings import EdgeSettings, ProfileSettings
from gateway.config.key_settings import RingKeySettings
from gateway.config.origin_settings import OriginServerSettings, revealed
from gateway.config.rule_settings import RuleSettings, WhenSettings
from gateway.config.schema import Settings
from gateway.config.signing_build import signing_of
from gateway.config.start_settings import StartSettings, StartWhenSettings
from gateway.config.validators import parse_window
from gateway.decision import Policy
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition
from gateway.edge.resolved import DnsQuestion, EdgeTemplate
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, When
from gateway.policy.start import StartRule, StartRules
from gateway.source.origin.origin_config import (
    FreshnessBounds,
    OriginConfig,
    OriginServer,
    RequestLimits,
)
from gateway.steering.steering_config import SteeringConfig
from gateway.store.events.log import LogBounds
from gateway.trust.keys import SigningKey
from geodata.lookup import EMBEDDED
from geodata.place import Continent
from manifests.ladder import GeneratedRung

_DECISIVE: Final = {
    *("policy", "profiles", "rules", "start", "edges", "ladder", "source", "devices"),
}
"""The sections on which a cached decision depends."""


def policy_of(settings: Settings) -> Policy:
    """The policy of these settings."""
    return Policy(
        profiles={name: _profile(name, given) for name, given in settings.profiles.items()},
        rules=tuple(map(_rule, settings.rules)),
        default_profile=settings.policy.default_profile,
        edges=tuple(map(edge_of, (edge for edge in settings.edges if edge.dns is None))),
        time_zone=settings.policy.time_zone,
        version=policy_version_of(settings),
        start=_start(settings.start),
        rules_version=policy_version_of(settings, _DECISIVE - {"edges"}),
    )


def policy_version_of(settings: Settings, sections: set[str] = _DECISIVE) -> str:
    """16 hexadecimal digits that depend only on the values in ``sections``, by default the decisive
    ones."""
    tables = settings.model_dump(include=sections)
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
        signing=None if given.signing is None else signing_of(given.signing),
    )


def _rule(given: RuleSettings) -> Rule:
    return Rule(when=_when(given.when), profile=given.profile, name=given.name or "")


def _when(given: WhenSettings) -> When:
    windows = given.time_of_day
    return When(
        device=_values(given.device),
        os=_folded(given.os),
        player=_folded(given.player),
        country=given.country,
        continent=_values(given.continent),
        asn=given.asn,
        speed_below_kbps=given.speed_below_kbps,
        speed_at_least_kbps=given.speed_at_least_kbps,
        speed_above_kbps=given.speed_above_kbps,
        speed_known=given.speed_known,
        save_data=given.save_data,
        asset_prefix=given.asset_prefix,
        time_of_day=None if windows is None else tuple(map(parse_window, windows)),
    )


def _start(given: StartSettings) -> StartRules:
    rules = given.rules if given.enabled else ()
    return StartRules(tuple([StartRule(_start_when(r.when), r.bitrate_kbps) for r in rules]))


def _start_when(given: StartWhenSettings) -> When:
    return When(
        device=_values(given.device),
        country=given.country,
        continent=_values(given.continent),
        asn=given.asn,
        save_data=given.save_data,
        ect=given.ect,
    )


def _values(members: frozenset[DeviceKind] | frozenset[Continent] | None) -> frozenset[str] | None:
    return None if members is None else frozenset(map(str, members))


def _folded(names: frozenset[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.casefold() for name in names)


def origin_config_of(settings: Settings) -> OriginConfig:
    """On which terms origins are asked."""
    given = settings.origin
    return OriginConfig(
        origins=_origin_servers(settings),
        request=RequestLimits(
            connect_timeout_s=given.connect_timeout_ms / 1000,
            read_timeout_s=given.read_timeout_ms / 1000,
            min_bytes_per_s=given.min_bytes_per_s,
            max_bytes=settings.limits.max_playlist_bytes,
            max_connections=given.max_connections,
            http2=given.http2,
            max_redirects=given.max_redirects,
            redirect_hosts=given.redirect_hosts,
            ca_file=given.ca_file,
        ),
        freshness=FreshnessBounds(
            default_fresh_s=given.default_fresh_s,
            min_fresh_s=given.min_fresh_s,
            max_fresh_s=given.max_fresh_s,
            stale_while_revalidate_s=given.stale_while_revalidate_s,
            max_stale_while_revalidate_s=given.max_stale_while_revalidate_s,
            stale_if_error_s=given.stale_if_error_s,
            max_stale_if_error_s=given.max_stale_if_error_s,
            max_stale_live_s=given.max_stale_live_s,
        ),
        total_timeout_s=given.total_timeout_ms / 1000,
        patience_s=given.patience_ms / 1000,
        retries=given.retries,
        retry_budget=given.retry_budget,
        breaker_failures=given.breaker_failures,
        breaker_open_s=given.breaker_open_ms / 1000,
        breaker_max_open_s=given.breaker_max_open_ms / 1000,
        not_found_s=given.not_found_s,
        failure_s=given.failure_s,
        memory_bytes=given.memory_bytes,
    )


def _origin_servers(settings: Settings) -> tuple[OriginServer, ...]:
    """``[[origins]]``, or ``source.url`` alone. ``[origin]`` has the defaults for each."""
    listed = settings.origins
    if settings.source.url is not None:
        listed = (OriginServerSettings(url=settings.source.url),)
    general = settings.origin
    return tuple(
        OriginServer(
            url=each.url,
            asset_prefix=each.asset_prefix or "",
            bearer_token=revealed(each.bearer_token or general.bearer_token),
            hmac_key=revealed(each.hmac_key or general.hmac_key),
            hmac_key_id=each.hmac_key_id or general.hmac_key_id,
        )
        for each in listed
    )


def steering_config_of(settings: Settings) -> SteeringConfig:
    """When sessions are asked, and when they move."""
    return SteeringConfig(**dict(settings.steering))


def log_bounds_of(settings: Settings) -> LogBounds:
    """How many events are kept, and for how long."""
    sessions = settings.sessions
    return LogBounds(
        settings.events.stream_max_length,
        sessions.events,
        sessions.expire_s,
        sessions.max_sessions,
    )


def signing_keys_of(settings: Settings) -> tuple[SigningKey, ...]:
    """The configured keys, retired ones included."""
    return _keys_of(settings.keys.ring)


def registration_keys_of(settings: Settings) -> tuple[SigningKey, ...]:
    """The keys of announcements of edges, retired ones included."""
    return _keys_of(settings.registry.keys)


def _keys_of(ring: Sequence[RingKeySettings]) -> tuple[SigningKey, ...]:
    return tuple(
        SigningKey(given.id, given.secret_text.encode("ascii"), given.status) for given in ring
    )


def generated_rungs_of(settings: Settings) -> list[GeneratedRung]:
    """The rungs of the configured ladder."""
    return [
        GeneratedRung(
            uri=settings.ladder.path.replace("{name}", rung.name),
            bandwidth=rung.bandwidth_kbps * 1000,
            height=rung.height,
            width=rung.width,
            codecs=rung.codecs,
            frame_rate=rung.frame_rate,
        )
        for rung in settings.ladder.rungs
    ]


def estimator_of(settings: Settings) -> EstimatorConfig:
    """The constants of the estimator of session speeds."""
    return EstimatorConfig(**dict(settings.throughput))


def prior_config_of(settings: Settings) -> PriorConfig:
    """The constants of the priors of networks."""
    return PriorConfig(**dict(settings.prior))


def device_rules_of(settings: Settings) -> list[DeviceRule]:
    """The operator's own rules about devices."""
    return [DeviceRule(**dict(rule)) for rule in settings.devices]


def geo_database_of(settings: Settings) -> Path:
    """The City or Country database."""
    path = settings.geo.database
    return EMBEDDED if path == Path("embedded") else path
