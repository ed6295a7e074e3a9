"""An operator's override of steering: a share of one edge's sessions goes to another edge for a
while.

Each session has a *point* for each edge, which is a hash of both. An override covers the points
from ``low`` up to but not including ``high``. So the same sessions are chosen in every process, a
larger share has all sessions of a smaller one, and two overrides of one edge choose different
sessions. It may be limited to assets whose ids begin with a prefix.

Where a session of the share would go to the source, it goes to the target instead, if that takes
it. When the override ends, new sessions are placed as before, and those that were moved stay.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.edge.edge import Edge
from gateway.edge.preference import splitmix64

WHOLE: Final = 10_000
"""Bounds of overrides are in ten-thousandths of an edge's sessions."""

_POINTS: Final = 2**64
_SALT: Final = 0x9E3779B97F4A7C15
"""So that points have nothing in common with the other hashes of a session and an edge."""


@dataclass(frozen=True, slots=True)
class Override:
    """Sessions of ``source`` go to ``target`` from ``since_s`` until ``until_s`` (Unix time).

    ``source`` and ``target`` are ids of edges; ``source`` may be the id of a table with ``dns``,
    which means each of its edges. ``low`` and ``high`` are from 0 to ``WHOLE``. Only sessions of
    assets whose ids begin with ``asset_prefix`` are moved. ``who`` and ``why`` are text for people.
    """

    id: str
    source: str
    target: str
    low: int
    high: int
    since_s: int
    until_s: int
    who: str
    why: str
    asset_prefix: str = ""

    @property
    def percent(self) -> str:
        """The share that it moves, such as ``12.5 %``."""
        return f"{(self.high - self.low) / WHOLE * 100:.10g} %"

    @property
    def sessions(self) -> str:
        """Which sessions it moves, such as ``12.5 % of the sessions`` or ``5 % of the sessions with
        film/…``, for people."""
        of = f" with {self.asset_prefix}…" if self.asset_prefix else ""
        return f"{self.percent} of the sessions{of}"

    def concerns(self, prefix: str) -> bool:
        """Whether an asset may begin with both prefixes."""
        return self.asset_prefix.startswith(prefix) or prefix.startswith(self.asset_prefix)


class Diversion(NamedTuple):
    """An override of one edge of a fleet: the points that it covers, and the target's position."""

    low: int
    high: int
    target: int
    override: Override


Diversions = Mapping[int, Sequence[Diversion]]
"""What applies to the edge at each position of a fleet; the first that covers a session counts."""

NO_DIVERSIONS: Final[Diversions] = {}

Tables = Mapping[str, Collection[str]]
"""The ids of the edges of each table with ``dns``."""

NO_TABLES: Final[Tables] = {}


def diversions_of(
    overrides: Iterable[Override], positions: Mapping[str, int], tables: Tables
) -> Diversions:
    """The overrides by the position of the edge that they are of. Those that name an edge that is
    not there are left out."""
    found: dict[int, list[Diversion]] = {}
    for one in overrides:
        target = positions.get(one.target)
        if target is None:
            continue
        for edge in _edges_of(one.source, tables):
            source = positions.get(edge)
            if source is not None and source != target:
                low, high = (bound * _POINTS // WHOLE for bound in (one.low, one.high))
                found.setdefault(source, []).append(Diversion(low, high, target, one))
    return found or NO_DIVERSIONS


def diversion_of(
    diversions: Diversions, edges: Sequence[Edge], at: int, viewer: int, asset: str = ""
) -> Diversion | None:
    """What applies to the session of ``asset`` with the key ``viewer`` on the edge at position
    ``at`` of ``edges``; None when nothing does, or when the session would be sent in circles."""
    first = _covering(diversions, edges, at, viewer, asset)
    seen, following = {at}, first
    while following is not None:
        here = following.target
        if here in seen:
            return None
        seen.add(here)
        following = _covering(diversions, edges, here, viewer, asset)
    return first


def _covering(
    diversions: Diversions, edges: Sequence[Edge], at: int, viewer: int, asset: str
) -> Diversion | None:
    given = diversions.get(at)
    if given is None:
        return None
    point = point_of(edges[at].key, viewer)
    return next(
        (
            one
            for one in given
            if one.low <= point < one.high and asset.startswith(one.override.asset_prefix)
        ),
        None,
    )


def point_of(edge: int, viewer: int) -> int:
    """The point of a session for an edge, 0 to 2⁶⁴ - 1, from the keys of both."""
    return splitmix64(viewer ^ splitmix64(edge ^ _SALT))


def of_same_sessions(
    overrides: Iterable[Override], source: str, prefix: str = "", tables: Tables = NO_TABLES
) -> list[Override]:
    """The overrides that choose among the same sessions as one of ``source``: those of one of its
    edges that concern the same assets."""
    edges = {*_edges_of(source, tables)}
    return [
        one
        for one in overrides
        if one.concerns(prefix) and not edges.isdisjoint(_edges_of(one.source, tables))
    ]


def free_range(
    overrides: Iterable[Override],
    source: str,
    share: int,
    prefix: str = "",
    tables: Tables = NO_TABLES,
) -> int | None:
    """Where a new override of ``source`` with that share (in ten-thousandths) can begin, beside
    those in force of the same sessions; None when there is no room for it."""
    others = of_same_sessions(overrides, source, prefix, tables)
    low = 0
    for begin, end in sorted((one.low, one.high) for one in others):
        if begin - low >= share:
            break
        low = max(low, end)
    return low if low + share <= WHOLE else None


def leads_back(
    overrides: Iterable[Override],
    source: str,
    target: str,
    prefix: str = "",
    tables: Tables = NO_TABLES,
) -> bool:
    """Whether a session of the assets with ``prefix`` that goes from an edge of ``source`` to
    ``target`` could be sent back, over one or more overrides: it would go in circles."""
    onward: dict[str, set[str]] = {}
    for one in overrides:
        if not one.concerns(prefix):
            continue
        for edge in _edges_of(one.source, tables):
            if edge != one.target:
                onward.setdefault(edge, set()).add(one.target)
    left = {*_edges_of(source, tables)} - {target}
    waiting, seen = [target], {target}
    while waiting:
        for following in onward.get(waiting.pop(), ()):
            if following in left:
                return True
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _edges_of(source: str, tables: Tables) -> Collection[str]:
    """The ids of the edges that a source means."""
    return tables.get(source, (source,))
