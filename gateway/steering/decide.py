"""Which pathway should this session use next?

A session stays where it is until something speaks against it:

- its edge was removed, or is down: it moves at once;
- the player left the pathway by itself, because of errors: that choice is accepted, and the
  pathway that failed loses its place for ``forget_s``;
- its edge drains or is degraded: sessions leave one by one over ``leave_s``, in an order that
  differs for each edge. Of a degraded edge, the share that it still admits stays;
- its edge is too slow for this viewer: the player measures less than it needs, and less than
  ``slow_share`` of what its network has shown: to this session before, to other viewers on other
  edges while this one is slow for them as well, or, for a session that has never moved, to nearly
  all viewers, or to a probe (:class:`NetworkView`). If all pathways are that slow, the viewer's own
  network is, and the session stays;
- an operator's override (:mod:`gateway.edge.override`) sends it to another edge: sessions follow
  one by one over ``leave_s``, if that edge takes them, has room, and has not failed or been slow
  for this viewer. Else they stay, as they do when the override ends.

Except in the second and the last case, it moves to the first edge in its preference order (that of
new sessions) that takes new viewers, has room, and has not failed or been slow for this viewer. So
the sessions of a failing edge spread over its neighbours as their hashes do, and none of these gets
more than it can take. Unless its edge is gone or down, a session moves at most once in
``dwell_s``.

Pure: time, loads and the fleet come in as arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from gateway.edge.edge import Edge, stable_hash
from gateway.edge.edge_url import has_default_port
from gateway.edge.fleet import Fleet
from gateway.edge.override import diversion_of
from gateway.edge.preference import HASH_RANGE, splitmix64
from gateway.edge.rank import admits
from gateway.steering.leaving import LEFT_STATES, Leaving
from gateway.steering.naming import Naming, signed_names
from gateway.steering.pathways import (
    declared_at,
    edge_at,
    first_host,
    has_name,
    is_declared,
    is_renewed,
    last_host,
    pathway_of,
    with_clones,
    with_reported,
)
from gateway.steering.query import PathwayReport
from gateway.steering.state import MAX_KBPS, MAX_RECORDS, PathwayRecord, SteeringState
from gateway.steering.steering_config import SteeringConfig

MoveReason = Literal["gone", "down", "failed", "leaving", "slow", "override"]
MOVE_REASONS: Final[tuple[MoveReason, ...]] = (
    *("gone", "down", "failed", "leaving", "slow", "override"),
)
StayReason = Literal["fine", "dwell", "nowhere"]
"""``fine``: nothing speaks against the edge. ``dwell``: the session has moved just now.
``nowhere``: no other edge would be better, or has room."""
STAY_REASONS: Final[tuple[StayReason, ...]] = ("fine", "dwell", "nowhere")

_URGENT: Final = ("gone", "down")

SAID: Final = {
    (reason, obeyed): 2 * number + (not obeyed)
    for number, reason in enumerate((*STAY_REASONS, *MOVE_REASONS))
    for obeyed in (True, False)
}
"""What an answer says of its session, as the state has it; 0 when all is well."""

HALF_LIFE_S: Final = 300.0
"""After this time, the best that a viewer's network has shown counts half."""

LeftKbps = Callable[[str], int | None]
"""The kbit/s that may still be moved to an edge, by its id; None without a limit."""


class NetworkView(Protocol):
    """What other viewers of this one's network have shown lately, in kbit/s; None while too few
    are known. It is asked about a session that measures less than it needs, or moves."""

    def kbps_on(self, edge: int) -> int | None:
        """What they usually measure on an edge, by its key; 0 when they leave it by themselves."""
        ...

    def prior_kbps(self) -> int | None:
        """What nearly all of them have, on whatever edge."""
        ...

    def probed_kbps(self) -> int | None:
        """What this viewer's page has measured lately apart from its player."""
        ...

    def reported_edge(self, since_s: int) -> int | None:
        """The key of the edge that the player has named as its CDN in a report (CMCD ``cdn``) after
        ``since_s`` (Unix time), and not long ago."""
        ...


class NothingKnown:
    """The view of a network of which nothing is known."""

    def kbps_on(self, edge: int) -> int | None:  # noqa: ARG002
        """Nothing."""
        return None

    def prior_kbps(self) -> int | None:
        """Nothing."""
        return None

    def probed_kbps(self) -> int | None:
        """Nothing."""
        return None

    def reported_edge(self, since_s: int) -> int | None:  # noqa: ARG002
        """Nothing."""
        return None


_NOTHING_KNOWN: Final = NothingKnown()


@dataclass(slots=True)  # not frozen, which costs a call for each field: every answer makes one
class Steered:
    """The next answer for a session.
    ``priority`` are the edges for PATHWAY-PRIORITY, best first, and ``pathways`` their ids there
    (:mod:`gateway.steering.pathways`); empty when no edge is left that the player could use.
    ``moved``: the session is sent to another edge, which is the first of ``priority``.
    ``playing`` is the edge that the player says it uses, None when it does not say, or the one that
    it uses by the evidence if it only repeats what it was told. ``obeyed`` is
    False when it is not the edge that the player was told. ``passed_over``: the player names a
    pathway that it cannot have, which changes nothing. ``believed``: the player uses ``playing``,
    which is there and not down. ``idle``: it has loaded nothing since its last request.
    ``measured_kbps`` is the best throughput that it has measured, 0 without any. ``naming`` is how
    the edges are named.
    """

    state: SteeringState
    priority: tuple[Edge, ...]
    pathways: tuple[str, ...]
    ttl_s: int
    reason: MoveReason | StayReason
    moved: bool
    playing: Edge | None
    obeyed: bool
    passed_over: bool
    believed: bool
    idle: bool
    measured_kbps: int
    naming: Naming


@dataclass(slots=True)  # not frozen, for the same reason
class Situation:
    """What is the same for all sessions of an asset at one moment.

    ``leaving`` says since when edges are left (:func:`gateway.steering.leaving.leaving_since`), by
    the monotonic clock, which shows ``clock_s`` now. ``now_s`` is Unix time, which is in states.
    ``renews``: the session may get new signatures, where its URLs are signed anew.
    """

    config: SteeringConfig
    fleet: Fleet
    leaving: Mapping[int, Leaving]
    clock_s: float
    now_s: float
    asset: str = ""
    renews: bool = True


def steer(
    situation: Situation,
    state: SteeringState,
    order: Sequence[int],
    reports: Sequence[PathwayReport],
    left_kbps: LeftKbps,
    view: NetworkView = _NOTHING_KNOWN,
) -> Steered:
    """Decide for one session.

    ``order`` are positions in the fleet in the session's preference order
    (:func:`gateway.edge.rank.ordered_by_key` with ``state.viewer``). ``reports`` is what the player
    says of its pathways.
    """
    config, fleet = situation.config, situation.fleet
    now = max(int(situation.now_s), state.issued_s)  # another host's clock may be ahead
    state = with_reported(fleet, state, reports)
    if state.declared > 1:
        order = _with_declared(fleet, state, order)
    known, dead = _known(fleet, state, reports)
    playing = _playing(known, state.told)
    seen = _seen(situation, state, view) if playing == state.told else None
    if seen is not None:
        known = [(seen, bps) for _, bps in known]
        playing = seen
    obeyed = playing == state.told or not (known or dead)
    settled = now - state.told_s >= config.dwell_s
    told, told_s = state.told, state.told_s
    idle = _is_idle(state, known)
    earlier = {one.edge: one for one in state.records if now - one.at_s < config.forget_s}
    measured = _measured(state, known, earlier, now)
    measured_kbps = max([one.kbps for one in measured], default=0)
    records = earlier | {one.edge: one for one in measured}
    failed = playing is not None and not obeyed and settled and seen is None and not idle
    if failed and playing is not None:
        records[told] = PathwayRecord(told, 0, now)
        told, told_s, settled = playing, now, False
    session = _Session(situation, state, told, records, _estimate(state, measured_kbps, now), view)
    reason: MoveReason | StayReason | None = session.why_leave(order)
    target: int | None = None
    if reason is not None and not (reason in _URGENT or settled):
        reason = "dwell"
    elif reason is not None:
        wanted = order if reason != "override" else session.overridden()
        target = session.target(wanted, left_kbps, urgent=reason in _URGENT)
        reason = "nowhere" if target is None else reason
    if target is not None:
        told, told_s = fleet.edges[target].key, now
    elif failed:
        reason = "failed"
    said = SAID[reason or "fine", obeyed or playing is None]
    first = fleet.index.by_key.get(told)
    priority = tuple([fleet.edges[at] for at in session.priority(first, order)])
    ttl_s = _ttl(config, state.viewer, now)
    naming = (
        Naming(priority, tuple([pathway_of(state, edge) for edge in priority]), ttl_s)
        if state.playlist is None
        else signed_names(state, fleet, priority, ttl_s, now, config if situation.renews else None)
    )
    priority, pathways = naming.priority, naming.pathways
    return Steered(
        state=SteeringState(  # dataclasses.replace takes five times as long
            asset=state.asset,
            viewer=state.viewer,
            spread_point=state.spread_point,
            base=state.base,
            shape=state.shape,
            need_kbps=state.need_kbps,
            expected_kbps=state.expected_kbps,
            told=told,
            told_s=told_s,
            issued_s=now,
            estimate_kbps=session.estimate_kbps,
            records=_latest(records),
            began_s=state.began_s or now,
            base_host=state.base_host,
            clones=with_clones(state, priority, pathways, naming.tags),
            declared=state.declared,
            unstated=state.unstated,
            said=said,
            playlist=state.playlist,
            live=state.live,
        ),
        priority=priority,
        pathways=pathways,
        ttl_s=naming.ttl_s,
        reason=reason or "fine",
        moved=target is not None and priority[:1] == (fleet.edges[target],),
        playing=_edge(fleet, playing if playing is not None else dead),
        obeyed=obeyed,
        believed=_is_usable(fleet, playing),
        idle=idle,
        measured_kbps=measured_kbps,
        passed_over=len(known) + (dead is not None) < len(reports),
        naming=naming,
    )


def _with_declared(fleet: Fleet, state: SteeringState, order: Sequence[int]) -> Sequence[int]:
    """The preference order, with the edges that the manifest declares: they may be farther than the
    edges that are considered."""
    considered = [*order]
    return [*considered, *(at for at in declared_at(fleet, state) if at not in considered)]


def _seen(situation: Situation, state: SteeringState, view: NetworkView) -> int | None:
    """The edge that the player uses by the evidence, when it says that it uses ``state.told``; None
    when nothing contradicts that.

    Shaka says what it was told, as long as its manifest declares one pathway, and its compiled
    builds ignore clones: its first request names no pathway. What a player reports as its CDN
    counts more than either, once it has had a TTL to move.
    """
    fleet = situation.fleet
    at = fleet.index.by_key.get(state.told)
    if at is None or fleet.edges[at].id == state.base:
        return None
    reported = view.reported_edge(state.told_s + situation.config.ttl_s)
    if reported is not None:
        edge = fleet.edges[fleet.index.by_key[reported]]
        has = edge.id == state.base or first_host(state, edge) != 0
        return reported if has and reported != state.told else None
    if not state.unstated or is_declared(state, fleet.edges[at]):
        return None
    base = fleet.positions.get(state.base)
    return None if base is None else fleet.edges[base].key


def _is_usable(fleet: Fleet, key: int | None) -> bool:
    at = None if key is None else fleet.index.by_key.get(key)
    return at is not None and at not in fleet.down


def _edge(fleet: Fleet, key: int | None) -> Edge | None:
    at = None if key is None else fleet.index.by_key.get(key)
    return None if at is None else fleet.edges[at]


def _known(
    fleet: Fleet, state: SteeringState, reports: Sequence[PathwayReport]
) -> tuple[list[tuple[int, int | None]], int | None]:
    """The reports of pathways that the player has and can use, by the edge's key; and an edge that
    it has, but that is down or was removed, and not the one that it was told: nobody plays there
    for long, so it tells nothing.

    A player has the base, and the clones that it was told of. It may say anything.
    """
    dead: int | None = None
    found: list[tuple[int, int | None]] = []
    for pathway, bps in reports:
        at = edge_at(fleet, pathway)
        key = stable_hash(pathway) if at is None else fleet.edges[at].key
        has = key == state.told or pathway == state.base
        if not has and at is not None:
            has = first_host(state, fleet.edges[at]) != 0
        if not has:
            continue
        if (
            at is not None
            and not is_renewed(state)
            and pathway_of(state, fleet.edges[at]) != pathway
        ):
            dead = key  # the edge has another host now
        elif key != state.told and (at is None or at in fleet.down):
            dead = key
        else:
            found.append((key, bps))
    return found, dead


def _is_idle(state: SteeringState, known: Sequence[tuple[int, int | None]]) -> bool:
    """Whether the player measures what it measured last time. It has loaded nothing since, because
    it is paused or its buffer is full, so it has had no reason to move yet."""
    last = {one.edge: one.kbps for one in state.records}
    return all(bps is not None and last.get(edge) == _kbps(bps) for edge, bps in known)


def _measured(
    state: SteeringState,
    known: Sequence[tuple[int, int | None]],
    earlier: Mapping[int, PathwayRecord],
    now: int,
) -> list[PathwayRecord]:
    """What the player has measured since its last request, besides what it has seen ``earlier``.

    The first figure of a session may be the one that the player is built with (hls.js: 500 kbit/s,
    Shaka: 1000), and one that it repeats is no news. A line may be as steady, so a repeated figure
    counts again when the one before is forgotten.
    """
    if not state.issued_s:
        return []
    reported = [(edge, _kbps(bps)) for edge, bps in known if bps is not None]
    return [
        PathwayRecord(edge, kbps, now)
        for edge, kbps in reported
        if edge not in earlier or earlier[edge].kbps != kbps
    ]


def _kbps(bps: int) -> int:
    return min(bps // 1000, MAX_KBPS)


def _playing(known: Sequence[tuple[int, int | None]], told: int) -> int | None:
    """The edge that the player uses. A DASH player lists all that it used since its last request:
    among these, the one that it was told."""
    if not known:
        return None
    return told if any(edge == told for edge, _ in known) else known[0][0]


def _estimate(state: SteeringState, measured_kbps: int, now: int) -> int:
    """The best throughput that the viewer's network has shown lately, in kbit/s."""
    age_s = max(0, now - state.issued_s) if state.issued_s else 0
    before = state.estimate_kbps * 0.5 ** (age_s / HALF_LIFE_S)
    return max(int(before), measured_kbps)


def _latest(records: Mapping[int, PathwayRecord]) -> tuple[PathwayRecord, ...]:
    if len(records) <= MAX_RECORDS:
        return tuple(records.values())
    return tuple(sorted(records.values(), key=lambda one: -one.at_s)[:MAX_RECORDS])


def _ttl(config: SteeringConfig, viewer: int, now: int) -> int:
    """The TTL, varied: players that started together must not ask together for ever."""
    share = splitmix64(viewer ^ now) / HASH_RANGE
    return max(1, round(config.ttl_s * (1 + config.ttl_jitter * (2 * share - 1))))


class _Session:
    """One session, while its answer is decided."""

    def __init__(
        self,
        situation: Situation,
        state: SteeringState,
        told: int,
        records: Mapping[int, PathwayRecord],
        estimate_kbps: int,
        view: NetworkView = _NOTHING_KNOWN,
    ) -> None:
        self._situation = situation
        self._state = state
        self._told = told
        self._records = records
        self._view = view
        self._fastest_kbps: int | None = None
        self._slow_for_others: int | None = None
        self.estimate_kbps = estimate_kbps
        self._base_at = situation.fleet.positions.get(state.base)
        self._base_host = state.base_host
        if self._base_at is not None:
            base = situation.fleet.edges[self._base_at]
            self._base_host = state.base_host or base.host_tag
            if is_renewed(state):
                self._base_host = base.host_tag
            elif base.host_tag != self._base_host:
                self._base_at = None  # the player has the base on another host
        self._clones_work = state.declared == 0 or self._base_at is None
        if not self._clones_work and self._base_at is not None:
            # dash.js drops the port of a clone's base (G9), and a clone keeps its signature, while
            # a live MPD gets others.
            base = situation.fleet.edges[self._base_at]
            self._clones_work = base.url_signing is None and has_default_port(base.url)

    def why_leave(self, order: Sequence[int]) -> MoveReason | None:
        """Why the session should leave its edge; None when it should not."""
        fleet = self._situation.fleet
        at = fleet.index.by_key.get(self._told)
        if at is None or not self._is_there(fleet.edges[at]):
            return "gone"
        if at in fleet.down:
            return "down"
        condition = fleet.conditions[at]
        if condition.state in LEFT_STATES and not admits(fleet, at, self._state.viewer):
            config, clock_s = self._situation.config, self._situation.clock_s
            left = self._situation.leaving.get(self._told)
            since_s = clock_s if left is None else left.since_s
            if since_s + self._turn() * config.leave_s <= clock_s:
                return "leaving"
        if self._is_slow(self._told) or self._is_slow_for_others(order):
            return "slow"
        return "override" if self.overridden() else None

    def overridden(self) -> list[int]:
        """The position of the edge to which an operator's override sends the session, when its turn
        has come; else nothing."""
        fleet = self._situation.fleet
        at = fleet.index.by_key.get(self._told)
        if not fleet.diversions or at is None:
            return []
        viewer, asset = self._state.viewer, self._situation.asset
        found = diversion_of(fleet.diversions, fleet.edges, at, viewer, asset)
        if found is None:
            return []
        due_s = found.override.since_s + self._turn() * self._situation.config.leave_s
        return [found.target] if due_s <= self._situation.now_s else []

    def _turn(self) -> float:
        """When the session leaves its edge, as a share of the period: its place in an order of
        sessions that differs for each edge."""
        return splitmix64(self._state.viewer ^ splitmix64(self._told)) / HASH_RANGE

    def _is_slow(self, edge: int) -> bool:
        """Whether the viewer measured less there than it needs, and much less than its network has
        shown. One that left the pathway by itself measured nothing."""
        record = self._records.get(edge)
        if record is None or record.kbps >= self._state.need_kbps:
            return False
        reference = max(self.estimate_kbps, *(one.kbps for one in self._records.values()))
        return record.kbps < reference * self._situation.config.slow_share

    def _is_slow_for_others(self, order: Sequence[int]) -> bool:
        """Whether the viewer measures less than it needs, and its network says that the edge is the
        reason: there is nothing that this session could compare with."""
        record = self._records.get(self._told)
        if record is None or record.kbps >= self._state.need_kbps:
            return False
        here = self._view.kbps_on(self._told)
        elsewhere = 0 if here is None else self._fastest(order)
        if self._state.told_s == 0:  # it has never moved, and can compare with nothing
            known = self._view.prior_kbps(), self._view.probed_kbps()
            elsewhere = max(elsewhere, *(kbps or 0 for kbps in known))
        bound = elsewhere * self._situation.config.slow_share
        if record.kbps < bound and (here is None or here < bound):
            self._slow_for_others = self._told
            return True
        return False

    def _fastest(self, order: Sequence[int]) -> int:
        """The most that the network's viewers measure on an edge that the player can use; 0 when
        that is not known."""
        if self._fastest_kbps is None:
            edges = self._situation.fleet.edges
            keys = (edges[at].key for at in order if self._is_option(edges[at]))
            self._fastest_kbps = max((self._view.kbps_on(key) or 0 for key in keys), default=0)
        return self._fastest_kbps

    def target(self, order: Sequence[int], left_kbps: LeftKbps, *, urgent: bool) -> int | None:
        """The position of the edge where the session should move; None when it should stay.

        ``urgent``: its edge is gone or down. Then the session leaves its edge even if every other
        one is slow or has failed, or none has room. It never moves to one that is down.
        """
        fleet, viewer = self._situation.fleet, self._state.viewer
        others = [at for at in order if at not in fleet.down and self._is_option(fleet.edges[at])]
        takes = [at for at in others if admits(fleet, at, viewer)]
        good = [at for at in takes if self._is_better(fleet.edges[at].key, order)]
        found = self._with_room(good, left_kbps)
        if found is None and urgent:
            for choices in (takes, others):
                found = self._with_room(choices, left_kbps) if found is None else found
            found = next(iter(good or takes or others), None) if found is None else found
        return found

    def _with_room(self, positions: Sequence[int], left_kbps: LeftKbps) -> int | None:
        for at in positions:
            left = left_kbps(self._situation.fleet.edges[at].id)
            if left is None or left >= self._state.expected_kbps:
                return at
        return None

    def _is_there(self, edge: Edge) -> bool:
        """Whether the edge still has the host under which the player knows it; True for one that it
        does not know, and for one that it can get under a new id."""
        return is_renewed(self._state) or last_host(self._state, edge) in (0, edge.host_tag)

    def _is_option(self, edge: Edge) -> bool:
        """Whether the player can move there: to a pathway that its manifest declares, or to a clone
        of the base. One that gets no new signatures, only with those that it has."""
        if edge.key == self._told and self._is_there(edge):
            return False
        if is_renewed(self._state) and not self._situation.renews and not self._has_name(edge):
            return False
        if edge.id == self._state.base and self._base_at is not None:
            return True
        if self._state.declared and is_declared(self._state, edge):
            return True
        if is_renewed(self._state) and self._state.declared <= 1:
            return True  # each of its URIs is given
        return (
            self._clones_work
            and edge.host is not None
            and edge.shape == self._state.shape
            and edge.host_tag != self._base_host
        )

    def _has_name(self, edge: Edge) -> bool:
        """Whether the player can go to the edge with the signatures that it has."""
        situation, at = self._situation, self._base_at
        base = None if at is None else situation.fleet.edges[at]
        return has_name(self._state, edge, base, situation.now_s)

    def _is_better(self, edge: int, order: Sequence[int]) -> bool:
        """Whether nothing that the viewer has seen of the edge speaks against it: it was not
        measured, or is better than the present one by the hysteresis. An edge that it has not
        measured is judged by what others of its network measured."""
        record = self._records.get(edge)
        if record is None:
            others = self._view.kbps_on(edge)
            slow_share = self._situation.config.slow_share
            return (
                others is None
                or others >= self._state.need_kbps
                or others >= max(1, self._fastest(order) * slow_share)
            )
        if record.kbps == 0:
            return False
        here = self._records.get(self._told)
        bound = 0.0 if here is None else here.kbps * (1 + self._situation.config.hysteresis)
        return record.kbps >= min(bound, self._state.need_kbps)

    def priority(self, first: int | None, order: Sequence[int]) -> list[int]:
        """The positions of an answer's edges: ``first`` if the player can use it, the next best
        ones, and the base in any case, since a player that cannot clone knows no other. While every
        edge is down, others are named as if all were up, so that a player can leave an edge that
        fails."""
        most = self._situation.config.max_pathways
        listed = [] if first is None or not self._can_use(first) else [first]
        reserved = self._base_at is not None and self._base_at != first
        for at in order:
            if len(listed) + reserved >= most:
                break
            if at not in listed and self._is_alternative(at):
                listed.append(at)
                reserved = reserved and at != self._base_at
        if reserved and self._base_at is not None:
            listed.append(self._base_at)
        return listed

    def _is_alternative(self, at: int) -> bool:
        edge = self._situation.fleet.edges[at]
        record = self._records.get(edge.key)
        if record is not None and (
            record.kbps == 0 or edge.key == self._slow_for_others or self._is_slow(edge.key)
        ):
            return False
        fleet = self._situation.fleet
        return self._can_use(at) and (fleet.all_down or admits(fleet, at, self._state.viewer))

    def _can_use(self, at: int) -> bool:
        """Whether the player can load from an edge: it was told to, and the edge is where it was,
        or it can move there."""
        edge = self._situation.fleet.edges[at]
        return (edge.key == self._told and self._is_there(edge)) or self._is_option(edge)
