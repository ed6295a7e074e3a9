"""In which order does a viewer try edges that are equal?

By *weighted rendezvous hashing*: the score of an edge is ``-weight / ln(h)`` with ``h`` in (0, 1)
hashed from the viewer and the edge's id (Schindelhauer and Schomaker 2005). An edge wins with a
probability in proportion to its weight, and taking one away moves its own share only.

That looks at every edge. A group of more than ``DIVIDED`` is halved by its ids' hashes until no
part is larger; each viewer prefers one half, by the weights in them, and then the other. So a
viewer looks at one part of 10,000 edges, wins are in proportion to weight all the same, and an edge
that fails moves its own share only, to the others of its part: halves are weighed with all edges in
them, whatever has become of these.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from gateway.edge.edge import Edge

DIVIDED: Final = 64
"""The most equal edges that are looked at one by one."""

SPAN: Final = 2.0**64
_UINT64: Final = 2**64 - 1


def mix(value: int) -> int:
    """The finaliser of SplitMix64: every bit of ``value`` sways every bit of the result."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _UINT64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _UINT64
    return value ^ (value >> 31)


def in_line(edges: Sequence[Edge], group: Sequence[int], key: int) -> list[int]:
    """Positions in ``edges``, in the order in which the viewer of that ``key`` tries them."""
    if len(group) <= 1:
        return list(group)
    # Ascending: the least is the winner (``ln(h) / -weight`` is the reciprocal's order).
    scores = [
        (-math.log((mix(key ^ edge.key) + 0.5) / SPAN) / edge.weight, at)
        for at, edge in zip(group, itemgetter(*group)(edges), strict=True)
    ]
    scores.sort()
    return [at for _, at in scores]


@dataclass(frozen=True, slots=True)
class _Fork:
    """Who hashes below ``bound`` with ``salt`` tries ``first`` first, the others ``second``."""

    salt: int
    bound: int
    first: "_Part"
    second: "_Part"


_Part = _Fork | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A divided group: those that take new viewers, and those that are ``closed``."""

    edges: Sequence[Edge]
    open: _Part
    closed: _Part

    def taking(self, key: int) -> Iterator[int]:
        """The open ones, in the order in which the viewer of that ``key`` tries them."""
        return _walk(self.edges, self.open, key)

    def passing(self, key: int) -> Iterator[int]:
        """The closed ones, likewise."""
        return _walk(self.edges, self.closed, key)


def divided(
    edges: Sequence[Edge], group: Sequence[int], closed: Collection[int], down: Collection[int]
) -> Line:
    """Divide the edges at the positions ``group``. Those that are ``down`` are weighed, too."""
    by_key = sorted(group, key=lambda at: edges[at].key)
    return Line(edges, *_halved(edges, by_key, closed, down, 1))


def _halved(
    edges: Sequence[Edge],
    group: list[int],
    closed: Collection[int],
    down: Collection[int],
    node: int,
) -> tuple[_Part, _Part]:
    """The open and the closed ones. ``node`` is 1 and then the first bits of all keys in the
    group, of which one more each time tells the halves apart."""
    if len(group) <= DIVIDED:
        return (
            tuple(at for at in group if at not in closed and at not in down),
            tuple(at for at in group if at in closed and at not in down),
        )
    bit = 1 << (64 - node.bit_length())
    middle = bisect_left(group, bit, key=lambda at: edges[at].key & bit)
    halves = group[:middle], group[middle:]
    weights = [sum(edges[at].weight for at in half) for half in halves]
    bound = int(weights[0] / sum(weights) * SPAN)
    firsts, seconds = (
        _halved(edges, half, closed, down, node * 2 + one) for one, half in enumerate(halves)
    )
    open_part, closed_part = (
        _fork(node, bound, first, second) for first, second in zip(firsts, seconds, strict=True)
    )
    return open_part, closed_part


def _fork(node: int, bound: int, first: _Part, second: _Part) -> _Part:
    """Both parts; one of them where there is nobody in the other."""
    return _Fork(mix(node), bound, first, second) if first and second else first or second


def _walk(edges: Sequence[Edge], part: _Part, key: int) -> Iterator[int]:
    later = [part]
    while later:
        part = later.pop()
        while isinstance(part, _Fork):
            if mix(key ^ part.salt) < part.bound:
                later.append(part.second)
                part = part.first
            else:
                later.append(part.first)
                part = part.second
        yield from in_line(edges, part, key)
