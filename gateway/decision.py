"""The pure core's one entry: facts and policy in, decision and reasons out.

``profile → ladder → edges``, a straight line. A :class:`Decision` holds what is worth caching: it
is the same for everybody of one *client class* in one *place cell*, and names no person. Which of
several equal edges one viewer gets is worked out afresh from the tiers (:func:`edges_for`).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import TypeVar

from gateway.client.facts import Capability, Facts, Limits
from gateway.edge import rank
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import Tier
from gateway.ladder.fit import fit
from gateway.ladder.hls import edit_of, rungs_of
from gateway.ladder.rung import Constraints, Rung
from gateway.ladder.start import DEFAULT_START_BANDWIDTH
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, RuleList, Subject
from gateway.reason import Reason, Step
from geodata.cell import place_cell, snap
from manifests.hls.multivariant import Edit, MultivariantPlaylist

_Number = TypeVar("_Number", int, float)

_values = attrgetter(*(limit.name for limit in fields(Constraints)))


@dataclass(frozen=True, slots=True)
class Policy:
    """What operators decided, immutable. ``version`` is a short hash over all of it: decisions
    cached under another version are never used. ``edges`` are the configured ones; requests are
    decided over a :class:`gateway.edge.fleet.Fleet`. Build one with :mod:`gateway.config`."""

    profiles: Mapping[str, Profile]
    rules: tuple[Rule, ...]
    default_profile: str
    edges: tuple[Edge, ...]
    time_zone: str
    version: str
    rule_list: RuleList = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make ready what every request needs."""
        object.__setattr__(self, "rule_list", RuleList(self.rules))


@dataclass(frozen=True, slots=True)
class Choice:
    """The profile that the rules gave, and the limits that follow from it for this client.

    ``name`` is text that is equal for equal choices, in every process.
    """

    profile: Profile
    rule: int | None
    limits: Constraints
    name: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What one client class in one place cell gets of one asset.

    ``edit`` lists what stays of the source's playlist; ``tiers`` the edges, best first, as
    positions in the fleet.
    """

    profile: str
    rule: int | None
    edit: Edit
    tiers: tuple[Tier, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The half of a decision that follows from the choice and the source."""

    edit: Edit
    reasons: tuple[Reason, ...]


Where = tuple[str, int]
"""Place cell and point: what, with the fleet, the other half of a decision follows from."""


def choose(policy: Policy, facts: Facts, bandwidths: Sequence[int]) -> Choice:
    """Which profile, and what it means for this client.

    ``bandwidths`` are the peaks of the asset's ladder in bit/s, ascending. The start bit rate is
    rounded down to one of them: no other value tells rungs apart, and client classes stay few.
    """
    match = policy.rule_list.first_match(_subject(facts), policy.default_profile)
    profile = policy.profiles[match.profile]
    below = bisect_right(bandwidths, _start_bandwidth(profile, facts))
    start = bandwidths[below - 1] if below and not profile.keeps_everything else 0
    device = facts.device
    return _choice(profile, match.rule, device.capability, device.os != "tvOS", facts.limits, start)


def _subject(facts: Facts) -> Subject:
    return Subject(
        asset=facts.asset,
        device=facts.device.kind.value,
        os=facts.device.os,
        player=facts.device.player,
        country=facts.place.country,
        continent=facts.place.continent,
        asn=facts.place.asn,
        speed_kbps=None if facts.throughput is None else facts.throughput.kbps,
        save_data=facts.save_data,
        minute_of_day=facts.minute_of_day,
    )


@lru_cache(4096)
def _choice(
    profile: Profile,
    rule: int | None,
    device: Capability,
    takes_audio_only: bool,
    asked: Limits,
    start_bandwidth: int,
) -> Choice:
    """Profile ∧ device ∧ request. ``device_limits = false`` leaves the device out.

    ``takes_audio_only`` is false for tvOS, which must not be given audio-only variants (A11.7).
    """
    caps_of_device = profile.device_limits
    kbps = _least(profile.max_bitrate_kbps, asked.max_bitrate_kbps)
    limits = Constraints(
        max_bandwidth=None if kbps is None else kbps * 1000,
        max_height=_least(
            profile.max_height, asked.max_height, device.max_height if caps_of_device else None
        ),
        min_height=asked.min_height,
        max_frame_rate=_least(
            profile.max_frame_rate, device.max_frame_rate if caps_of_device else None
        ),
        wanted_codecs=asked.codecs,
        allowed_codecs=profile.codecs,
        device_codecs=device.codecs if caps_of_device else None,
        allowed_ranges=profile.video_range,
        device_ranges=device.video_ranges if caps_of_device else None,
        immersive=device.spatial or not caps_of_device,
        audio_only=takes_audio_only or not caps_of_device,
        min_rungs=profile.min_rungs,
        start_bandwidth=start_bandwidth,
        untouched=profile.keeps_everything,
    )
    return Choice(profile, rule, limits, f"{profile.name}\0{rule}\0{_canonical(limits)}")


def _start_bandwidth(profile: Profile, facts: Facts) -> int:
    """bit/s that may be spent at the start: a share of the measured speed, else the profile's."""
    if facts.throughput is not None:
        return int(facts.throughput.kbps * profile.headroom * 1000)
    if profile.start_bitrate_kbps is not None:
        return profile.start_bitrate_kbps * 1000
    return DEFAULT_START_BANDWIDTH


def _least(*caps: _Number | None) -> _Number | None:
    known = [cap for cap in caps if cap is not None]
    return min(known) if known else None


def cache_keys(
    policy: Policy, fleet: Fleet, facts: Facts, choice: Choice, source_version: str
) -> tuple[str, str]:
    """The names of a decision's two halves. What stays of the ladder: policy version, asset, its
    source's version, client class. Which edges serve: the fleet's epoch, place cell and point.
    Nothing in them tells one viewer from another of the same class."""
    cell, spot = where_of(facts)
    return (
        f"ladder\0{policy.version}\0{facts.asset}\0{source_version}\0{choice.name}",
        f"edges\0{fleet.epoch}\0{cell}\0{spot}",
    )


_cell = lru_cache(4096)(place_cell)


def _canonical(limits: Constraints) -> str:
    """Equal text for equal limits, in every process (sets have no order of their own)."""
    return "|".join(
        ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
        for value in _values(limits)
    )


def where_of(facts: Facts) -> Where:
    """Where the viewer counts as being."""
    return _cell(facts.place), rank.spot_of(facts.place, facts.viewer)


def fitted(choice: Choice, rungs: Sequence[Rung], playlist: MultivariantPlaylist) -> Fitted:
    """What stays of a playlist, whose ``rungs`` those are.

    Raises :class:`gateway.ladder.fit.NothingToPlayError` when the request's own codecs exclude all.
    """
    home = None if playlist.steering is None else playlist.steering.pathway
    found = fit(rungs, choice.limits, home)
    return Fitted(edit_of(playlist, found.kept, choice.limits), found.reasons)


def ranked(fleet: Fleet, facts: Facts) -> tuple[Tier, ...]:
    """The edges for the viewer's place, best tier first."""
    spot = rank.spot_of(facts.place, facts.viewer)
    return rank.tiers(fleet, snap(facts.place), spot)


def decision_of(choice: Choice, ladder: Fitted, tiers: tuple[Tier, ...]) -> Decision:
    """The two halves together."""
    return Decision(choice.profile.name, choice.rule, ladder.edit, tiers, ladder.reasons)


def decide(fleet: Fleet, facts: Facts, choice: Choice, playlist: MultivariantPlaylist) -> Decision:
    """Fit the ladder and rank the edges.

    Raises :class:`gateway.ladder.fit.NothingToPlayError` when the request's own codecs exclude all.
    """
    return decision_of(choice, fitted(choice, rungs_of(playlist), playlist), ranked(fleet, facts))


def edges_for(fleet: Fleet, decision: Decision, facts: Facts) -> tuple[Edge, ...]:
    """The edges for this viewer, best first; the first one serves.

    A session that plays this asset already stays where it was placed, as long as that edge is not
    down: it may be one that nobody new is sent to by now.
    """
    positions = rank.order(fleet, decision.tiers, facts.asset, facts.viewer)
    held = _held(fleet, facts)
    if held is not None and held != positions[0]:
        positions = (held, *(at for at in positions if at != held))
    return tuple(fleet.edges[position] for position in positions)


def _held(fleet: Fleet, facts: Facts) -> int | None:
    """The position of the edge that this session was placed on, if it may stay there."""
    if facts.placed_on is None:
        return None
    position = fleet.positions.get(facts.placed_on)
    if position is None or (fleet.conditions[position].state == "down" and not fleet.all_down):
        return None
    return position


def reasons_of(
    policy: Policy,
    fleet: Fleet,
    facts: Facts,
    choice: Choice,
    decision: Decision,
    edges: Sequence[Edge],
) -> tuple[Reason, ...]:
    """Every step and why, in the order in which they were taken. ``edges`` are the ones that the
    viewer gets, best first."""
    return (
        *facts.reasons,
        _reason_of_profile(policy, choice),
        *_reasons_of_limits(facts, choice),
        *_reason_of_start_bandwidth(facts, choice),
        *decision.reasons,
        *_reasons_of_conditions(fleet, facts, edges),
        _reason_of_edge(fleet, decision, facts, edges[0]),
    )


def _reason_of_edge(fleet: Fleet, decision: Decision, facts: Facts, best: Edge) -> Reason:
    if best.id == facts.placed_on:
        text = f"{best.id} has served this session and goes on to"
        return Reason(Step.EDGE, "edge-held", text)
    position = fleet.positions[best.id]
    tier = next(tier for tier in decision.tiers if position in tier.edges)
    return rank.explain(best, tier, facts.place)


def _reasons_of_conditions(fleet: Fleet, facts: Facts, edges: Sequence[Edge]) -> tuple[Reason, ...]:
    """Why better edges were passed over: those that would stand before the first one if all were
    up; and what is the matter with those that are listed nevertheless."""
    if fleet.all_down:
        return (
            Reason(Step.EDGE, "edges-all-down", "every edge is down; ranked as if all were up"),
        )
    if fleet.plain and len(fleet.serving) == len(fleet.edges):
        return ()
    ideal = fleet.ideal
    spot = rank.spot_of(facts.place, facts.viewer)
    ranked = rank.tiers(ideal, snap(facts.place), spot)
    wished = [fleet.edges[at] for at in rank.order(ideal, ranked, facts.asset, facts.viewer)]
    passed = wished[: wished.index(edges[0])] if edges[0] in wished else wished
    found = []
    for edge in dict.fromkeys((*passed, *edges)):
        condition = fleet.conditions[fleet.positions[edge.id]]
        if condition.word == "up" and condition.admits >= 1:
            continue
        end = "; passed over" if edge in passed else ""
        found.append(Reason(Step.EDGE, f"edge-{condition.word}", f"{edge.id} {condition}{end}"))
    return tuple(found)


def _reason_of_profile(policy: Policy, choice: Choice) -> Reason:
    name = choice.profile.name
    if choice.rule is None:
        text = f"no rule holds; the default profile is {name}"
        return Reason(Step.PROFILE, "profile-default", text)
    rule = policy.rules[choice.rule]
    label = f" ({rule.name})" if rule.name else ""
    text = f"rules[{choice.rule}]{label} holds ({rule.when}); profile {name}"
    return Reason(Step.PROFILE, "profile-rule", text)


def _reasons_of_limits(facts: Facts, choice: Choice) -> tuple[Reason, ...]:
    """Which of profile, device and request set each cap."""
    profile, device, asked = choice.profile, facts.device.capability, facts.limits
    reasons: list[Reason] = []
    if choice.limits.max_height is not None:
        by = _setter(
            choice.limits.max_height,
            {"profile": profile.max_height, "request": asked.max_height},
            "device",
        )
        text = f"at most {choice.limits.max_height}p, set by the {by}"
        reasons.append(Reason(Step.LADDER, f"max-height-{by}", text))
    if choice.limits.max_bandwidth is not None:
        kbps = choice.limits.max_bandwidth // 1000
        by = _setter(kbps, {"profile": profile.max_bitrate_kbps}, "request")
        text = f"at most {kbps} kbit/s, set by the {by}"
        reasons.append(Reason(Step.LADDER, f"max-bitrate-{by}", text))
    if not profile.device_limits:
        text = f"profile {profile.name} leaves the device's own limits out"
        reasons.append(Reason(Step.LADDER, "device-limits-off", text))
    elif device.codecs is None:
        text = f"what this {facts.device.kind} decodes is not known; nothing is withheld for it"
        reasons.append(Reason(Step.LADDER, "device-codecs-unknown", text))
    return tuple(reasons)


def _reason_of_start_bandwidth(facts: Facts, choice: Choice) -> tuple[Reason, ...]:
    """Why playback may start at that bit rate; nothing where the source's order stays."""
    if choice.limits.untouched:
        return ()
    profile = choice.profile
    most = f"start within {_start_bandwidth(profile, facts) // 1000} kbit/s"
    if facts.throughput is not None:
        share = f"{profile.headroom:.0%} of the measured {facts.throughput.kbps:.10g} kbit/s"
        return (Reason(Step.START, "start-bitrate-speed", f"{most}, {share}"),)
    if profile.start_bitrate_kbps is not None:
        return (Reason(Step.START, "start-bitrate-profile", f"{most}, set by the profile"),)
    text = f"{most}, as nothing was measured (Apple's HLS authoring specification 1.32)"
    return (Reason(Step.START, "start-bitrate-default", text),)


def _setter(value: int, setters: Mapping[str, int | None], otherwise: str) -> str:
    return next((name for name, cap in setters.items() if cap == value), otherwise)
