"""Which edges are there, and how is each of them now?

A :class:`Fleet` is one moment of all edges: an immutable value that a request reads once. Its
``epoch`` names everything that a cached decision depends on, the same in every worker that sees
the same: it is a hash, not a counter, so that nobody has to agree on a next number, and an edge
that comes back brings its cached decisions back.

A share of *new* viewers is all that most conditions take away (``admits``): a viewer whose hash
falls outside that share passes over the edge to the next one. Raising the share so moves viewers
only to the edge, and lowering it only away from it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from gateway.cache import Recent
from gateway.edge.atlas import Atlas
from gateway.edge.edge import Edge
from gateway.edge.preference import Line, divided

EdgeState = Literal["up", "degraded", "draining", "down"]
SEVERITY: tuple[EdgeState, ...] = ("up", "degraded", "draining", "down")
"""From best to worst."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How one edge is. ``admits`` is the share of new viewers that it takes, 0 to 1; ``full``: the
    sessions placed on it fill its capacity. ``why`` is for people; ``since_s`` is Unix time."""

    state: EdgeState = "up"
    admits: float = 1.0
    full: bool = False
    why: str = ""
    since_s: float | None = None

    @property
    def open(self) -> bool:
        """Whether it takes new viewers at all."""
        return self.admits > 0 and not self.full and self.state in ("up", "degraded")

    @property
    def word(self) -> str:
        """The state, or ``full``: that is what keeps new viewers from an edge that is well."""
        return "full" if self.full and self.state in ("up", "degraded") else self.state

    def __str__(self) -> str:
        """``is up (back since 4 s), takes 30% of new viewers``."""
        why = f" ({self.why})" if self.why else ""
        share = f", takes {self.admits:.0%} of new viewers" if 0 < self.admits < 1 else ""
        return f"is {self.word}{why}{share}"


UP = Condition()


def worst(conditions: Iterable[Condition]) -> Condition:
    """Several judgements of one edge as one: the worst state, the smallest share."""
    given = list(conditions)
    if not given:
        return UP
    state = max(given, key=lambda condition: SEVERITY.index(condition.state))
    told = next((one for one in (state, *given) if one.why), state)
    return Condition(
        state=state.state,
        admits=min(condition.admits for condition in given),
        full=any(condition.full for condition in given),
        why=told.why,
        since_s=told.since_s,
    )


LINES = 64
"""So many large groups of equal edges are kept divided."""


@dataclass(frozen=True)
class Fleet:
    """All edges at one moment; ``conditions`` by position. Made by :meth:`of`.

    ``serving`` are the positions that may be ranked: those that are not down, or all of them when
    every edge is (then conditions say nothing, and edges are ranked as if all were up). ``down``
    are the others, and ``closed`` those that serve, but take no new viewers. ``plain``: every one
    that serves takes every viewer. ``atlas`` is where to look for edges of a place.
    """

    edges: tuple[Edge, ...]
    conditions: tuple[Condition, ...]
    serving: tuple[int, ...]
    down: frozenset[int]
    closed: frozenset[int]
    all_down: bool
    plain: bool
    epoch: str
    atlas: Atlas = field(repr=False, compare=False)
    _lines: Recent[tuple[int, ...], Line] = field(
        init=False, repr=False, compare=False, default_factory=lambda: Recent(LINES)
    )

    @classmethod
    def of(
        cls,
        edges: Sequence[Edge],
        conditions: Mapping[str, Condition] | None = None,
        last: "Fleet | None" = None,
    ) -> "Fleet":
        """A fleet of ``edges`` (ids are distinct). Conditions go by id; who has none is up. What
        follows from the edges alone is taken from the fleet before, where it had the same."""
        same = last is not None and last.edges == tuple(edges)
        atlas = last.atlas if last is not None and same else Atlas(edges)
        known = conditions or {}
        found = tuple(known.get(edge.id, UP) for edge in atlas.edges)
        changed = [(at, one) for at, one in enumerate(found) if one is not UP]
        down = frozenset(at for at, one in changed if one.state == "down")
        closed = frozenset(at for at, one in changed if at not in down and not one.open)
        epoch = _epoch(atlas, down, closed)
        all_down = len(down) == len(found)
        if all_down:
            down = frozenset()
        choosy = any(one.admits < 1 for at, one in changed if at not in down)
        return cls(
            edges=atlas.edges,
            conditions=found,
            serving=tuple(at for at in range(len(found)) if at not in down),
            down=down,
            closed=closed,
            all_down=all_down,
            plain=all_down or not (closed or choosy),
            epoch=epoch,
            atlas=atlas,
        )

    @property
    def positions(self) -> Mapping[str, int]:
        """Where the edge of each id is."""
        return self.atlas.positions

    @cached_property
    def ideal(self) -> "Fleet":
        """The same edges, as if all were up."""
        return Fleet.of(self.edges, last=self)

    def condition(self, edge_id: str) -> Condition | None:
        """How the edge of that id is; None when there is none."""
        at = self.positions.get(edge_id)
        return None if at is None else self.conditions[at]

    def open(self, position: int) -> bool:
        """Whether the edge there takes new viewers at all."""
        return position not in self.closed and position not in self.down

    def line(self, group: tuple[int, ...]) -> Line:
        """A large group of equal edges, divided so that a viewer need not look at all of them."""
        found = self._lines.get(group)
        if found is None:
            found = divided(self.edges, group, self.closed, self.down)
            self._lines.put(group, found)
        return found


def _epoch(atlas: Atlas, down: Collection[int], closed: Collection[int]) -> str:
    """16 hexadecimal digits over what tiers depend on: edges, and who is down, closed or open."""
    states = bytearray(b"o") * len(atlas.edges)
    for at in closed:
        states[at] = ord("c")
    for at in down:
        states[at] = ord("d")
    return blake2b(atlas.identity + states, digest_size=8).hexdigest()
