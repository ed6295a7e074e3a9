"""Which edges are there, and what condition is each of them in?

A :class:`Fleet` is a snapshot of all edges: an immutable value that a request reads once. Its
``epoch`` identifies everything that a cached decision depends on. It is a hash, not a counter:
workers that see the same edges in the same conditions compute the same epoch without agreeing on
anything, and when an edge recovers, its cached decisions become valid again.

Most conditions only reduce the share of *new* viewers that an edge takes (``admits``). A viewer
whose hash is outside that share skips the edge. Raising the share therefore moves viewers to this
edge only, and lowering it moves viewers away from this edge only.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from gateway.edge.edge import Edge
from gateway.edge.index import EdgeIndex
from gateway.edge.override import NO_DIVERSIONS, Diversions, Override, Tables, diversions_of

EdgeState = Literal["up", "degraded", "draining", "down"]
SEVERITY: tuple[EdgeState, ...] = ("up", "degraded", "draining", "down")
"""From best to worst."""


@dataclass(frozen=True, slots=True)
class EdgeCondition:
    """The condition of one edge.

    ``admits`` is the share of new viewers that it takes, 0 to 1. ``full``: the sessions placed on
    it use up its capacity. ``why`` is text for people. ``since_s`` is Unix time.
    """

    state: EdgeState = "up"
    admits: float = 1.0
    full: bool = False
    why: str = ""
    since_s: float | None = None

    @property
    def open(self) -> bool:
        """Whether the edge takes any new viewers."""
        return self.admits > 0 and not self.full and self.state in ("up", "degraded")

    @property
    def word(self) -> str:
        """The state, or ``full`` when only that keeps new viewers away."""
        return "full" if self.full and self.state in ("up", "degraded") else self.state

    def __str__(self) -> str:
        """``is degraded (slow: answered in 410 ms), takes 50% of new viewers``."""
        why = f" ({self.why})" if self.why else ""
        share = f", takes {self.admits:.0%} of new viewers" if 0 < self.admits < 1 else ""
        return f"is {self.word}{why}{share}"


UP = EdgeCondition()


def worst(conditions: Iterable[EdgeCondition]) -> EdgeCondition:
    """Combine several conditions of one edge: the worst state and the smallest share."""
    given = list(conditions)
    if not given:
        return UP
    worst_one = max(given, key=lambda condition: SEVERITY.index(condition.state))
    explained = next((one for one in (worst_one, *given) if one.why), worst_one)
    return EdgeCondition(
        state=worst_one.state,
        admits=min(condition.admits for condition in given),
        full=any(condition.full for condition in given),
        why=explained.why,
        since_s=explained.since_s,
    )


@dataclass(frozen=True)
class Fleet:
    """All edges at one moment. Build one with :meth:`of`.

    ``conditions`` has one entry for each of ``edges``. ``serving`` holds the positions of the edges
    that may be ranked: those that are not down, or all edges when every one is down; then edges are
    ranked as if all were up. ``down`` holds the positions of the other edges. ``closed`` holds
    those of edges that serve but take no new viewers. ``plain``: every serving edge takes every
    viewer. ``index`` finds the edges for a place. ``overrides`` are those in force.
    """

    edges: tuple[Edge, ...]
    conditions: tuple[EdgeCondition, ...]
    serving: tuple[int, ...]
    down: frozenset[int]
    closed: frozenset[int]
    all_down: bool
    plain: bool
    epoch: str
    index: EdgeIndex = field(repr=False, compare=False)
    overrides: tuple[Override, ...] = ()

    @classmethod
    def of(
        cls,
        edges: Sequence[Edge],
        conditions: Mapping[str, EdgeCondition] | None = None,
        last: "Fleet | None" = None,
        overrides: Iterable[Override] = (),
    ) -> "Fleet":
        """A fleet of ``edges``, whose ids must be distinct.

        ``conditions`` are by edge id; an edge without one is up. When the fleet before (``last``)
        has the same edges, its index is used again. Of two ``overrides``
        of one edge that cover the same sessions, the first counts.
        """
        same = last is not None and last.edges == tuple(edges)
        index = last.index if last is not None and same else EdgeIndex(edges)
        given = conditions or {}
        found = tuple(given.get(edge.id, UP) for edge in index.edges)
        changed = [(at, one) for at, one in enumerate(found) if one is not UP]
        down = frozenset(at for at, one in changed if one.state == "down")
        closed = frozenset(at for at, one in changed if at not in down and not one.open)
        epoch = _epoch(index, down, closed)
        all_down = len(down) == len(found)
        if all_down:
            down = frozenset()
        selective = any(one.admits < 1 for at, one in changed if at not in down)
        return cls(
            edges=index.edges,
            conditions=found,
            serving=tuple(at for at in range(len(found)) if at not in down),
            down=down,
            closed=closed,
            all_down=all_down,
            plain=all_down or not (closed or selective),
            epoch=epoch,
            index=index,
            overrides=tuple(overrides),
        )

    @cached_property
    def diversions(self) -> Diversions:
        """The overrides in force, by the position of the edge that they are of."""
        if not self.overrides:
            return NO_DIVERSIONS
        return diversions_of(self.overrides, self.positions, self.tables)

    @cached_property
    def tables(self) -> Tables:
        """The ids of the edges of each table with ``dns``. A name that is also that of an edge
        means the edge."""
        found: dict[str, list[str]] = {}
        for edge in self.edges:
            if edge.template is not None and edge.template not in self.positions:
                found.setdefault(edge.template, []).append(edge.id)
        return found

    @property
    def positions(self) -> Mapping[str, int]:
        """The position of each edge, by its id."""
        return self.index.positions

    @cached_property
    def ideal(self) -> "Fleet":
        """The same edges, as if all were up."""
        return Fleet.of(self.edges, last=self)

    def condition(self, edge_id: str) -> EdgeCondition | None:
        """The condition of the edge with that id; None when there is no such edge."""
        at = self.positions.get(edge_id)
        return None if at is None else self.conditions[at]

    def open(self, position: int) -> bool:
        """Whether the edge at ``position`` takes any new viewers."""
        return position not in self.closed and position not in self.down


def _epoch(index: EdgeIndex, down: Collection[int], closed: Collection[int]) -> str:
    """16 hexadecimal digits over what rankings depend on: the edges, and which of them are down,
    closed or open."""
    states = bytearray(b"o") * len(index.edges)
    for at in closed:
        states[at] = ord("c")
    for at in down:
        states[at] = ord("d")
    return blake2b(index.identity + states, digest_size=8).hexdigest()
