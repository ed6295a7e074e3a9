"""Why was this decided? Gives the reason for every step, in the order of the steps.

Most players never read the reasons, so the sentences are built only on request.
"""

from collections.abc import Iterator, Mapping, Sequence

from gateway.client.facts import DeviceKind
from gateway.decision import Decision
from gateway.edge import rank
from gateway.edge.capacity import Leased
from gateway.edge.edge import Edge
from gateway.edge.override import Override
from gateway.ladder.start import DEFAULT_START_BANDWIDTH
from gateway.reason import Reason, Step
from geodata.cell import snap
from geodata.place import Place

Moves = Sequence[tuple[Edge, Override]]
"""The operators' overrides that moved a viewer to its edge, in order, each with the edge that it
moved it from."""


def reasons_of(decision: Decision) -> tuple[Reason, ...]:
    """Every reason for ``decision``, from the address to the lease."""
    known, moves = decision.facts.reasons, _moves(decision)
    return (
        *(reason for reason in known if reason.step is Step.ADDRESS),
        _place(decision.facts.place),
        *(reason for reason in known if reason.step is not Step.ADDRESS),
        _profile(decision),
        *_limits(decision),
        *_start(decision),
        *decision.ladder_reasons,
        *_poor(decision),
        *_conditions(decision, moves),
        _edge(decision, moves),
        *_lease(decision),
    )


_NOT_LOOKED_UP = Reason(Step.PLACE, "place-not-looked-up", "no GeoIP database or no usable address")
_UNKNOWN = Reason(Step.PLACE, "place-unknown", "the GeoIP database does not know the address")


def _place(place: Place) -> Reason:
    if place.status == "not_looked_up":
        return _NOT_LOOKED_UP
    if place.status == "unknown":
        return _UNKNOWN
    region = f"country {place.country or '?'}, continent {place.continent or '?'}"
    if place.anonymous:
        region = f"{region}, an anonymising network"
    if not place.located:
        return Reason(Step.PLACE, "place-found", f"{region}, no coordinates")
    radius = "unknown" if place.accuracy_km is None else f"{place.accuracy_km:.0f} km"
    return Reason(Step.PLACE, "place-found", f"{region}, accuracy radius {radius}")


def _profile(decision: Decision) -> Reason:
    name, rule_index = decision.choice.profile.name, decision.choice.rule
    if decision.facts.pinned is not None:
        text = f"profile {name}, as in the session's first answer"
        return Reason(Step.PROFILE, "profile-pinned", text)
    if rule_index is None:
        text = f"no rule matches; the default profile {name} is used"
        return Reason(Step.PROFILE, "profile-default", text)
    rule = decision.inquiry.policy.rules[rule_index]
    label = f" ({rule.name})" if rule.name else ""
    text = f"rules[{rule_index}]{label} matches ({rule.when}); profile {name}"
    return Reason(Step.PROFILE, "profile-rule", text)


def _limits(decision: Decision) -> Iterator[Reason]:
    """Which of profile, device, token and request set each cap."""
    profile, limits = decision.choice.profile, decision.choice.limits
    device, asked, granted = decision.facts.device, decision.facts.limits, decision.facts.granted
    if limits.max_height is not None:
        setters = {
            "profile": profile.max_height,
            "token": granted.max_height,
            "request": asked.max_height,
        }
        by = _setter(limits.max_height, setters, "device")
        text = f"at most {limits.max_height}p, set by the {by}"
        yield Reason(Step.LADDER, f"max-height-{by}", text)
    if limits.max_bandwidth is not None:
        kbps = limits.max_bandwidth // 1000
        setters = {"profile": profile.max_bitrate_kbps, "token": granted.max_bitrate_kbps}
        by = _setter(kbps, setters, "request")
        text = f"at most {kbps} kbit/s, set by the {by}"
        yield Reason(Step.LADDER, f"max-bitrate-{by}", text)
    if not profile.device_limits:
        text = f"profile {profile.name} ignores the device's own limits"
        yield Reason(Step.LADDER, "device-limits-off", text)
    elif device.capability.codecs is None:
        name = "device" if device.kind is DeviceKind.UNKNOWN else device.kind
        text = f"the codecs of this {name} are unknown; none is removed for it"
        yield Reason(Step.LADDER, "device-codecs-unknown", text)


def _setter(value: int, setters: Mapping[str, int | None], otherwise: str) -> str:
    return next((name for name, cap in setters.items() if cap == value), otherwise)


def _start(decision: Decision) -> Iterator[Reason]:
    """Where the start bit rate comes from; nothing when the source's order is kept."""
    if decision.choice.limits.untouched or decision.facts.pinned is not None:
        return
    inquiry, profile, speed = decision.inquiry, decision.choice.profile, decision.facts.throughput
    if speed is not None:
        kbps = int(speed.kbps * profile.headroom)
        word = _SPEED_WORDS.get(speed.source, "measured")
        share = f"{profile.headroom * 100:.10g}% of the {word} {speed.kbps:.10g} kbit/s"
        yield Reason(Step.START, "start-bitrate-speed", f"start within {kbps} kbit/s, {share}")
    elif inquiry.start_rule is not None:
        rule = inquiry.policy.start.rules[inquiry.start_rule]
        text = f"start within {rule.kbps} kbit/s, because no speed is known and "
        name = f"start.rules[{inquiry.start_rule}]"
        yield Reason(Step.START, "start-bitrate-rule", f"{text}{name} matches ({rule.when})")
    elif profile.start_bitrate_kbps is not None:
        text = f"start within {profile.start_bitrate_kbps} kbit/s, set by the profile"
        yield Reason(Step.START, "start-bitrate-profile", text)
    else:
        kbps = DEFAULT_START_BANDWIDTH // 1000
        text = f"start within {kbps} kbit/s, the default, because no speed is known"
        yield Reason(Step.START, "start-bitrate-default", text)


_SPEED_WORDS = {"hints": "hinted", "prior": "presumed"}


def _poor(decision: Decision) -> Iterator[Reason]:
    """Which edges come behind the others for what other viewers report. An operator's override
    decides alone."""
    fleet, facts = decision.inquiry.fleet, decision.facts
    if not facts.poor_edges or fleet.diversions:
        return
    ranked = rank.ordered_edges(fleet, decision.tiers, facts.asset, facts.viewer)
    poor = [fleet.edges[at].id for at in ranked if fleet.edges[at].id in facts.poor_edges]
    if 0 < len(poor) < len(ranked):
        text = f"viewers of this network report trouble on {', '.join(poor)}; others come first"
        yield Reason(Step.EDGE, "poor-edges", text)


def _conditions(decision: Decision, moves: Moves) -> Iterator[Reason]:
    """Why better edges were passed over (those that would come before the first one if all were
    up), and the conditions of listed edges that are not fully up."""
    fleet, facts = decision.inquiry.fleet, decision.facts
    if fleet.all_down:
        text = "every edge is down; they are ranked as if all were up"
        yield Reason(Step.EDGE, "edges-all-down", text)
        return
    if fleet.plain and len(fleet.serving) == len(fleet.edges):
        return
    ideal, best, tiers = fleet.ideal, decision.edge, _tiers_if_all_up(decision)
    wished = [fleet.edges[at] for at in rank.ordered_edges(ideal, tiers, facts.asset, facts.viewer)]
    if moves:
        best = moves[0][0]
    passed = wished[: wished.index(best)] if best in wished else wished
    for edge in dict.fromkeys((*passed, *decision.edges)):
        condition = fleet.conditions[fleet.positions[edge.id]]
        if condition.word == "up" and condition.admits >= 1:
            continue
        end = "; passed over" if edge in passed else ""
        yield Reason(Step.EDGE, f"edge-{condition.word}", f"{edge.id} {condition}{end}")


def _edge(decision: Decision, moves: Moves) -> Reason:
    fleet, best = decision.inquiry.fleet, decision.edge
    if best.id == decision.facts.placed_on:
        text = f"{best.id} already serves this session and stays"
        return Reason(Step.EDGE, "edge-held", text)
    if moves:
        return _override_reason(best, moves)
    position = fleet.positions[best.id]
    tier = next(tier for tier in decision.tiers if position in tier.edges)
    first = _tiers_if_all_up(decision)[0]
    return rank.edge_reason(fleet, position, tier, decision.facts.place, first)


def _tiers_if_all_up(decision: Decision) -> Sequence[rank.EdgeTier]:
    """The tiers of edges for the viewer's place, as if all edges were up."""
    fleet = decision.inquiry.fleet
    if fleet.plain and len(fleet.serving) == len(fleet.edges):
        return decision.tiers
    spread_point = decision.inquiry.ranking_key[2]
    return rank.ranked_tiers(fleet.ideal, snap(decision.facts.place), spread_point)


def _moves(decision: Decision) -> Moves:
    """None when the viewer has its edge without overrides."""
    fleet, facts = decision.inquiry.fleet, decision.facts
    if not fleet.diversions or decision.edge.id == facts.placed_on:
        return ()
    viewer = rank.viewer_key(facts.asset, facts.viewer)
    for at in rank.ordered_by_key(fleet, decision.tiers, viewer, diverted=False):
        if fleet.edges[at] is decision.edge:
            return ()
        moves: list[tuple[Edge, Override]] = []
        for source, found in rank.diversions_from(fleet, at, viewer, facts.asset):
            moves.append((fleet.edges[source], found.override))
            if fleet.edges[found.target] is decision.edge:
                return moves
    return ()


def _override_reason(edge: Edge, moves: Moves) -> Reason:
    parts = []
    for instead_of, one in reversed(moves):
        why = f": {one.why}" if one.why else ""
        by = f"by the override {one.id} ({one.sessions}) of {one.who}{why}"
        parts.append(f"{edge.id} instead of {instead_of.id}, {by}")
        edge = instead_of
    return Reason(Step.EDGE, "edge-override", "; ".join(parts))


def _lease(decision: Decision) -> Iterator[Reason]:
    """Which edges had no room, and how much of its edge the session takes up."""
    leased, fleet = decision.leased, decision.inquiry.fleet
    if leased is None:
        return
    placement, bounds, preferred = leased.placement, leased.bounds, decision.preferred
    kbps = decision.expected_kbps()
    if placement.outcome != "kept":
        for at, edge in enumerate(preferred[: placement.index]):
            bound = bounds[at]
            # An edge that takes no new sessions is already explained by its condition.
            if bound is not None and fleet.open(fleet.positions[edge.id]):
                used = f"{_mbps(placement.loads[at])} of {_mbps(bound)}"
                full = placement.loads[at] >= bound
                room = "is full" if full else f"has no room for {kbps / 1000:.1f} Mbit/s"
                text = f"{edge.id} {room} ({used} Mbit/s leased); passed over"
                yield Reason(Step.EDGE, "edge-full", text)
    yield _lease_reason(leased, kbps, preferred[placement.index])


def _mbps(kbps: int) -> str:
    """Mbit/s to one decimal, which is left out when it is 0."""
    return f"{round(kbps / 1000, 1):,.10g}"


def _lease_reason(leased: Leased, kbps: int, edge: Edge) -> Reason:
    placement, bound = leased.placement, leased.bounds[leased.placement.index]
    parts = [f"{kbps / 1000:.1f} Mbit/s on {edge.id}"]
    if bound is None:
        parts.append("which has no capacity limit")
    else:
        whose = "this worker's share" if leased.alone else "its capacity"
        load = placement.loads[placement.index]
        parts.append(f"{load / max(1, bound):.0%} of {whose} used")
    if placement.outcome == "over":
        parts.append("the least loaded edge of those considered, since none has room")
    return Reason(Step.LEASE, f"lease-{placement.outcome}", ", ".join(parts))
