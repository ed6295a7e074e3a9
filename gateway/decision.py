"""Who may play what, and from where? The one function that decides, and what it works on.

:func:`decide` fits the ladder, ranks the edges and places the viewer on one of them. It does no
I/O. A :class:`Memo` brings the results of earlier requests; the caller fills it from the store
beforehand. Players' requests, batches, ``gateway explain`` and the tests all call it.

A :class:`Decision` knows no manifest format: it names the rungs that stay and the edges that serve.
Bytes are made from it by one module for each format (``gateway/play/hls``).
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import TypeVar

from gateway.cache import LADDERS, RANKINGS, Cache
from gateway.client.facts import Facts
from gateway.edge import rank
from gateway.edge.capacity import Leased
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import EdgeTier
from gateway.ladder.expected import expected_kbps
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints, Ladder, Rung, counted
from gateway.ladder.start import DEFAULT_START_BANDWIDTH
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, RuleList, Subject
from gateway.policy.start import NO_START_RULES, StartRules
from gateway.reason import Reason
from geodata.cell import place_cell, snap
from geodata.place import Place

_Number = TypeVar("_Number", int, float)

_values = attrgetter(*(limit.name for limit in fields(Constraints)))


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's settings on which decisions depend. Immutable.

    ``version`` is a short hash over all of it. A decision cached under another version is never
    used. ``edges`` are the configured ones; requests are decided over a
    :class:`gateway.edge.fleet.Fleet`. ``rules_version`` is the same over all but the edges: what
    was pinned under another one is decided anew. Build one with :mod:`gateway.config`.
    """

    profiles: Mapping[str, Profile]
    rules: tuple[Rule, ...]
    default_profile: str
    edges: tuple[Edge, ...]
    time_zone: str
    version: str
    start: StartRules = NO_START_RULES
    rules_version: str = ""
    rule_list: RuleList = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rules, which every request needs."""
        object.__setattr__(self, "rule_list", RuleList(self.rules))


@dataclass(frozen=True, slots=True)
class Choice:
    """The profile that the rules selected, and the limits for this client that result from profile,
    device and request.

    ``rule`` is the position of the rule that matched; None for the default profile. ``name`` is
    text that is equal for equal choices, in every process.
    """

    profile: Profile
    rule: int | None
    limits: Constraints
    name: str


@dataclass(frozen=True, slots=True)
class FittedLadder:
    """One half of a decision: which rungs stay.

    ``kept`` are indices of entries in output order, the one to start on first. ``rungs`` is how
    many different rungs they are.
    """

    choice: Choice
    kept: tuple[int, ...]
    reasons: tuple[Reason, ...]
    rungs: int


LadderKey = tuple[object, ...]
"""Every input of a :class:`FittedLadder`."""

RankingKey = tuple[str, str, int]
"""Every input of a ranking: fleet epoch, place cell, point within the place."""


@dataclass(slots=True)
class Memo:
    """The results of earlier requests. A key holds every input of its value, so no entry is ever
    stale."""

    ladders: Cache[LadderKey, FittedLadder] = field(
        default_factory=lambda: Cache(LADDERS, weigh=lambda fitted: 1 + len(fitted.kept) // 64)
    )
    rankings: Cache[RankingKey, tuple[EdgeTier, ...]] = field(
        default_factory=lambda: Cache(RANKINGS)
    )


@dataclass(slots=True)
class Inquiry:
    """Everything that :func:`decide` reads, with the cache keys of both halves.

    ``profile`` and ``rule`` are the outcome of the rules. ``start_rule`` is the position of the
    start rule that applies, None when none does. ``start_bandwidth`` is in bit/s, rounded
    down to one of the ladder's own peaks. Any value between two peaks selects the same rung, so
    rounding only reduces the number of keys. ``edge_count`` is how many edges the answer needs.
    ``fitted`` and ``tiers`` are the halves as far as they are known, and ``choice`` is set by
    :func:`choice_of`.
    """

    policy: Policy
    fleet: Fleet
    facts: Facts
    ladder: Ladder
    profile: Profile
    rule: int | None
    start_rule: int | None
    start_bandwidth: int
    edge_count: int
    ladder_key: LadderKey
    ranking_key: RankingKey
    fitted: FittedLadder | None = None
    tiers: tuple[EdgeTier, ...] | None = None
    choice: Choice | None = None

    @property
    def is_known(self) -> bool:
        """Whether both halves are known."""
        return self.fitted is not None and self.tiers is not None


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Decision:
    """What one viewer gets of one asset.

    ``kept`` are indices of the ladder's entries in output order, the one to start on first;
    ``rungs`` is how many different rungs they are. ``edges`` are the edges for this viewer, best
    first; the first one serves. ``held``: the session already plays this asset from the first
    edge. ``preferred`` is the order of edges before capacity is considered. ``leased`` is the
    capacity lease; None when no edge has a capacity.
    """

    inquiry: Inquiry
    choice: Choice
    kept: tuple[int, ...]
    rungs: int
    ladder_reasons: tuple[Reason, ...]
    tiers: tuple[EdgeTier, ...]
    edges: tuple[Edge, ...]
    preferred: tuple[Edge, ...]
    held: bool
    leased: Leased | None = None

    @property
    def facts(self) -> Facts:
        """Who asks for what."""
        return self.inquiry.facts

    @property
    def edge(self) -> Edge:
        """The edge that serves."""
        return self.edges[0]

    @property
    def kept_rungs(self) -> list[Rung]:
        """The rungs that stay, in output order."""
        rungs = self.inquiry.ladder.rungs
        return [rungs[index] for index in self.kept]

    def expected_kbps(self) -> int:
        """The bit rate in kbit/s that this session is expected to take up on its edge."""
        return expected_kbps(
            counted(self.kept_rungs),
            self.facts.measured_kbps,
            self.choice.profile.headroom,
        )

    def with_lease(self, leased: Leased) -> "Decision":
        """The same decision, with the edge on which the session got its lease in front."""
        chosen = self.preferred[leased.placement.index]
        others = (edge for edge in self.preferred if edge is not chosen)
        return replace(self, edges=(chosen, *others), leased=leased)


def inquire(
    policy: Policy,
    fleet: Fleet,
    facts: Facts,
    ladder: Ladder,
    memo: Memo,
    edge_count: int = rank.MIN_RANKED,
) -> Inquiry:
    """Apply the rules, or what is pinned, and look both halves up in ``memo``.

    Their keys are equal for all viewers of one client class and place cell. ``edge_count`` is how
    many edges the answer needs.
    """
    rule: int | None
    start_rule: int | None
    if (pinned := facts.pinned) is None:
        subject = _subject(facts)
        match = policy.rule_list.first_match(subject, policy.default_profile)
        profile, rule = policy.profiles[match.profile], match.rule
        start_bandwidth, start_rule = _start(policy, profile, facts, subject)
    else:
        profile, rule, start_rule = policy.profiles[pinned.profile], pinned.rule, None
        start_bandwidth = pinned.start_bandwidth
    below = bisect_right(ladder.peaks, start_bandwidth)
    start = ladder.peaks[below - 1] if below and not profile.keeps_everything else 0
    device = facts.device
    ladder_key: LadderKey = (
        policy.version,
        facts.asset,
        ladder.version,
        profile.name,
        rule,
        device.capability,
        device.os == "tvOS",
        facts.limits,
        start,
    )
    ranking_key: RankingKey = (
        fleet.epoch,
        place_cell(facts.place),
        rank.spread_point_of(facts.place, facts.viewer),
    )
    return Inquiry(
        policy=policy,
        fleet=fleet,
        facts=facts,
        ladder=ladder,
        profile=profile,
        rule=rule,
        start_rule=start_rule,
        start_bandwidth=start,
        edge_count=edge_count,
        ladder_key=ladder_key,
        ranking_key=ranking_key,
        fitted=memo.ladders.get(ladder_key),
        tiers=memo.rankings.get(ranking_key),
    )


def decide(inquiry: Inquiry, memo: Memo) -> Decision:
    """Fit the ladder, rank the edges, and place the viewer.

    A half that ``inquiry`` lacks is computed, and added to ``memo``. Raises
    :class:`gateway.ladder.fit.NothingToPlayError` when the codecs that the request asks for exclude
    every rung.
    """
    fitted = inquiry.fitted or memo.ladders.get(inquiry.ladder_key)
    if fitted is None:
        fitted = fit_ladder(inquiry)
        memo.ladders.put(inquiry.ladder_key, fitted)
    tiers = inquiry.tiers or memo.rankings.get(inquiry.ranking_key)
    if tiers is None:
        tiers = rank_edges(inquiry)
        memo.rankings.put(inquiry.ranking_key, tiers)
    edges, held = _place(inquiry, tiers)
    return Decision(
        inquiry=inquiry,
        choice=fitted.choice,
        kept=fitted.kept,
        rungs=fitted.rungs,
        ladder_reasons=fitted.reasons,
        tiers=tiers,
        edges=edges,
        preferred=edges,
        held=held,
    )


def choice_of(inquiry: Inquiry) -> Choice:
    """The limits of profile, device and request, combined. ``device_limits = false`` ignores the
    device's. Computed once for an inquiry: the store's name of a ladder and the ladder need it."""
    if inquiry.choice is None:
        inquiry.choice = _combine(inquiry)
    return inquiry.choice


def _combine(inquiry: Inquiry) -> Choice:
    profile, asked = inquiry.profile, inquiry.facts.limits
    device = inquiry.facts.device.capability
    limited = profile.device_limits
    kbps = _least(profile.max_bitrate_kbps, asked.max_bitrate_kbps)
    limits = Constraints(
        max_bandwidth=None if kbps is None else kbps * 1000,
        max_height=_least(
            profile.max_height, asked.max_height, device.max_height if limited else None
        ),
        min_height=asked.min_height,
        max_frame_rate=_least(profile.max_frame_rate, device.max_frame_rate if limited else None),
        wanted_codecs=asked.codecs,
        allowed_codecs=profile.codecs,
        device_codecs=device.codecs if limited else None,
        allowed_ranges=profile.video_range,
        device_ranges=device.video_ranges if limited else None,
        immersive=device.spatial or not limited,
        screen=device.screen or not limited,
        # tvOS must not be given audio-only variants (A11.7).
        audio_only=inquiry.facts.device.os != "tvOS" or not limited,
        min_rungs=profile.min_rungs,
        start_bandwidth=inquiry.start_bandwidth,
        untouched=profile.keeps_everything,
    )
    name = f"{profile.name}\0{inquiry.rule}\0{_canonical(limits)}"
    return Choice(profile, inquiry.rule, limits, name)


def fit_ladder(inquiry: Inquiry) -> FittedLadder:
    """Which rungs stay. Raises :class:`gateway.ladder.fit.NothingToPlayError`."""
    choice = choice_of(inquiry)
    found = fit_all(inquiry.ladder.rungs, choice.limits, inquiry.ladder.home_pathway)
    return FittedLadder(choice, found.kept, found.reasons, found.rungs)


def rank_edges(inquiry: Inquiry) -> tuple[EdgeTier, ...]:
    """The edges for the viewer's place, best tier first."""
    return rank.ranked_tiers(inquiry.fleet, snap(inquiry.facts.place), inquiry.ranking_key[2])


def remembered_tiers(
    fleet: Fleet, place: Place, spread_point: int, memo: Memo
) -> tuple[EdgeTier, ...]:
    """The edges for a place, best tier first: from ``memo``, or ranked and added to it."""
    key: RankingKey = (fleet.epoch, place_cell(place), spread_point)
    tiers = memo.rankings.get(key)
    if tiers is None:
        tiers = rank.ranked_tiers(fleet, snap(place), spread_point)
        memo.rankings.put(key, tiers)
    return tiers


def nearest_edges(decision: Decision) -> tuple[Edge, ...]:
    """At least ``MIN_RANKED`` edges for the viewer of a decision, if there are so many. The first
    one serves."""
    inquiry = decision.inquiry
    if inquiry.edge_count > 1:
        return decision.edges
    fleet, facts = inquiry.fleet, inquiry.facts
    order = _ordered(fleet, facts, decision.tiers, rank.MIN_RANKED)
    others = [fleet.edges[at] for at in order if fleet.edges[at] is not decision.edge]
    return (decision.edge, *others)


def _start(
    policy: Policy, profile: Profile, facts: Facts, subject: Subject
) -> tuple[int, int | None]:
    """The most bit/s to start with, and the start rule that set it, if one did.

    It is a share of the speed, be it measured or the prior of the viewer's network. While both are
    unknown, it is what the start rules say, at most the profile's start bit rate; else the
    profile's; else the default.
    """
    if facts.throughput is not None:
        return int(facts.throughput.kbps * profile.headroom * 1000), None
    most, rule = profile.start_bitrate_kbps, policy.start.first_match(subject)
    if rule is not None:
        kbps = policy.start.rules[rule].kbps
        if most is None or kbps < most:
            return kbps * 1000, rule
    return (DEFAULT_START_BANDWIDTH if most is None else most * 1000), None


def _place(inquiry: Inquiry, tiers: tuple[EdgeTier, ...]) -> tuple[tuple[Edge, ...], bool]:
    """The edges for this viewer, best first, and whether the first one has served it before.

    A session that already plays this asset stays on its edge until that edge is down, even if the
    edge takes no new sessions.
    """
    fleet, facts = inquiry.fleet, inquiry.facts
    positions = _ordered(fleet, facts, tiers, inquiry.edge_count)
    held = None if facts.placed_on is None else fleet.positions.get(facts.placed_on)
    if held in fleet.down:
        held = None
    if held is not None and held != positions[0]:
        positions = (held, *(at for at in positions if at != held))
    return tuple([fleet.edges[at] for at in positions]), held is not None


def _ordered(
    fleet: Fleet, facts: Facts, tiers: tuple[EdgeTier, ...], count: int
) -> tuple[int, ...]:
    """The best ``count`` edges for this viewer. Those on which others of its network have trouble
    come behind, unless an operator's override decides."""
    key = rank.viewer_key(facts.asset, facts.viewer)
    if not facts.poor_edges or fleet.diversions:
        return rank.ordered_by_key(fleet, tiers, key, count, facts.asset)
    several = rank.ordered_by_key(fleet, tiers, key, max(count, rank.MIN_RANKED), facts.asset)
    return rank.without_poor(fleet, several, facts.poor_edges, key)[:count]


def _subject(facts: Facts) -> Subject:
    return Subject(
        asset=facts.asset,
        device=facts.device.kind,
        os=facts.device.os,
        player=facts.device.player,
        country=facts.place.country,
        continent=facts.place.continent,
        asn=facts.place.asn,
        speed_kbps=facts.measured_kbps,
        save_data=facts.save_data,
        minute_of_day=facts.minute_of_day,
        ect=facts.ect,
    )


def _least(*caps: _Number | None) -> _Number | None:
    known = [cap for cap in caps if cap is not None]
    return min(known) if known else None


def _canonical(limits: Constraints) -> str:
    """Equal text for equal limits, in every process (sets have no order of their own)."""
    return "|".join(
        ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
        for value in _values(limits)
    )
