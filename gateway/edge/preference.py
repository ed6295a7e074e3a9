"""In which order does a viewer try edges that are equal?

By *weighted rendezvous hashing*: an edge scores ``-weight / ln(h)``, where ``h`` in (0, 1) is
hashed from the viewer and the edge's id, and the highest score wins. An edge wins in proportion to
its weight, and removing one edge moves only the viewers that it had.

Scoring every edge is too slow for large groups. A group of more than ``MAX_UNDIVIDED`` edges is
therefore split in two by the edges' hashes, again and again, until no part is larger. Each viewer
prefers one half of every split, by the halves' weights, and tries the other half afterwards. So a
viewer scores one part of 10,000 edges instead of all, edges still win in proportion to their
weights, and an edge that fails moves only its own viewers, to other edges of its part. Edges that
are down keep their weight in the splits, so that a failure moves no other viewers.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple

from gateway.edge.edge import Edge

MAX_UNDIVIDED: Final = 64
"""The largest group of equal edges that is scored edge by edge."""

HASH_RANGE: Final = 2.0**64
_UINT64: Final = 2**64 - 1


def splitmix64(value: int) -> int:
    """The finaliser of SplitMix64: every bit of ``value`` affects every bit of the result."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _UINT64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _UINT64
    return value ^ (value >> 31)


def preference_order(edges: Sequence[Edge], group: Sequence[int], key: int) -> list[int]:
    """The positions in ``group``, in the order in which the viewer with that ``key`` tries them."""
    if len(group) <= 1:
        return list(group)
    # Ascending: ln(h) / -weight is the reciprocal of the score, so the lowest value wins.
    scores = [
        (-math.log((splitmix64(key ^ edge.key) + 0.5) / HASH_RANGE) / edge.weight, at)
        for at, edge in zip(group, itemgetter(*group)(edges), strict=True)
    ]
    scores.sort()
    return [at for _, at in scores]


@dataclass(frozen=True, slots=True)
class _Branch:
    """Viewers whose hash with ``salt`` is below ``bound`` try ``first`` first, others
    ``second``."""

    salt: int
    bound: int
    first: "_Subtree"
    second: "_Subtree"


_Subtree = _Branch | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DividedGroup:
    """A large group of equal edges as two trees: edges that take new viewers, and edges that serve
    but take none."""

    edges: Sequence[Edge]
    open: _Subtree
    closed: _Subtree

    def open_in_order(self, key: int) -> Iterator[int]:
        """The open edges, in the order in which the viewer with that ``key`` tries them."""
        return _walk(self.edges, self.open, key)

    def closed_in_order(self, key: int) -> Iterator[int]:
        """The closed edges, in the same way."""
        return _walk(self.edges, self.closed, key)


def divide(
    edges: Sequence[Edge], group: Sequence[int], closed: Collection[int], down: Collection[int]
) -> DividedGroup:
    """Divide the edges at the positions ``group``. Edges in ``down`` count in the weights of the
    halves, but are in neither tree."""
    by_key = sorted(group, key=lambda at: edges[at].key)
    members = _SortedGroup(
        keys=[edges[at].key for at in by_key],
        positions=by_key,
        weights=[0, *accumulate(edges[at].weight for at in by_key)],
        closed=closed,
        down=down,
    )
    return DividedGroup(edges, *_divide_range(members, 0, len(by_key), 1))


class _SortedGroup(NamedTuple):
    """A group in ascending order of keys. ``weights[i]`` is the weight of the first ``i`` edges."""

    keys: Sequence[int]
    positions: Sequence[int]
    weights: Sequence[int]
    closed: Collection[int]
    down: Collection[int]


def _divide_range(
    group: _SortedGroup, start: int, end: int, node: int
) -> tuple[_Subtree, _Subtree]:
    """The trees of open and of closed edges from ``start`` up to but not including ``end``.

    ``node`` identifies the subtree: a 1, then the leading bits that the keys of all its edges
    share. The next bit tells its halves apart.
    """
    if end - start <= MAX_UNDIVIDED:
        serving = [at for at in group.positions[start:end] if at not in group.down]
        return (
            tuple(at for at in serving if at not in group.closed),
            tuple(at for at in serving if at in group.closed),
        )
    bits = node.bit_length()
    middle = bisect_left(group.keys, (2 * node + 1) << (64 - bits) & _UINT64, start, end)
    before, here, after = (group.weights[at] for at in (start, middle, end))
    bound = int((here - before) / (after - before) * HASH_RANGE)
    firsts = _divide_range(group, start, middle, 2 * node)
    seconds = _divide_range(group, middle, end, 2 * node + 1)
    open_part, closed_part = (
        _branch(node, bound, first, second) for first, second in zip(firsts, seconds, strict=True)
    )
    return open_part, closed_part


def _branch(node: int, bound: int, first: _Subtree, second: _Subtree) -> _Subtree:
    """Both subtrees, or the one that has edges when the other has none."""
    if first and second:
        return _Branch(splitmix64(node), bound, first, second)
    return first or second


def _walk(edges: Sequence[Edge], part: _Subtree, key: int) -> Iterator[int]:
    later = [part]
    while later:
        part = later.pop()
        while isinstance(part, _Branch):
            if splitmix64(key ^ part.salt) < part.bound:
                later.append(part.second)
                part = part.first
            else:
                later.append(part.first)
                part = part.second
        yield from preference_order(edges, part, key)
