"""Which edges are there, and how is each of them now?

A :class:`Fleet` is one moment of all edges: an immutable value that a request reads once. Its
``epoch`` names everything that a cached decision depends on, the same in every worker that sees
the same: it is a hash, not a counter, so that nobody has to agree on a next number, and an edge
that comes back brings its cached decisions back.

A share of *new* viewers is all that most conditions take away (``admits``): a viewer whose hash
falls outside that share passes over the edge to the next one. Raising the share so moves viewers
only to the edge, and lowering it only away from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from gateway.edge.edge import Edge

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


@dataclass(frozen=True, slots=True)
class Fleet:
    """All edges at one moment; ``conditions`` by position. Made by :meth:`of`.

    ``serving`` are the positions that may be ranked: those that are not down, or all of them when
    every edge is (then conditions say nothing, and edges are ranked as if all were up). ``plain``:
    every one of them takes every viewer.
    """

    edges: tuple[Edge, ...]
    conditions: tuple[Condition, ...]
    serving: tuple[int, ...]
    all_down: bool
    plain: bool
    epoch: str
    positions: Mapping[str, int] = field(repr=False, compare=False)

    @classmethod
    def of(
        cls, edges: Sequence[Edge], conditions: Mapping[str, Condition] | None = None
    ) -> "Fleet":
        """A fleet of ``edges`` (ids are distinct). Conditions go by id; who has none is up."""
        known = conditions or {}
        found = tuple(known.get(edge.id, UP) for edge in edges)
        serving = tuple(at for at, one in enumerate(found) if one.state != "down")
        all_down = not serving
        if all_down:
            serving = tuple(range(len(edges)))
        return cls(
            edges=tuple(edges),
            conditions=found,
            serving=serving,
            all_down=all_down,
            plain=all_down or all(found[at].open and found[at].admits >= 1 for at in serving),
            epoch=_epoch(edges, found),
            positions={edge.id: at for at, edge in enumerate(edges)},
        )

    def condition(self, edge_id: str) -> Condition | None:
        """How the edge of that id is; None when there is none."""
        at = self.positions.get(edge_id)
        return None if at is None else self.conditions[at]

    def open(self, position: int) -> bool:
        """Whether the edge there takes new viewers at all."""
        return self.plain or self.conditions[position].open


def _epoch(edges: Sequence[Edge], conditions: Sequence[Condition]) -> str:
    """16 hexadecimal digits over what tiers depend on: edges, and who is down, closed or open."""
    digest = blake2b(digest_size=8)
    for edge, condition in zip(edges, conditions, strict=True):
        digest.update(edge.identity)
        digest.update(b"d" if condition.state == "down" else b"o" if condition.open else b"c")
    return digest.hexdigest()
