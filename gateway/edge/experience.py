"""On which edges is playback poor for the viewers of a network, by what their players report?

A viewer had *trouble* on an edge when its player reported a stall, an error, or a slow start there
(:func:`poor_edges` compares edges by the share of such viewers). Probes ask edges from where the
gateway is, and see none of this.

A viewer sets one of ``SLOTS`` bits for an edge, however much it reports, so a player that lies has
one voice. Counts are those of one window of time and the one before it. Nothing tells who a viewer
is.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.cache import EXPERIENCES, Cache

SLOTS: Final = 256
MAX_EDGES: Final = 16
"""The most edges that count for one network; the first ones that its viewers play from."""
MIN_TROUBLED: Final = 0.2
"""An edge is not poor while a smaller share of its viewers has trouble."""
TIMES_OTHERS: Final = 3.0
"""It is poor when the share is this many times that of the network's other edges."""


class Experience(NamedTuple):
    """The viewers of one edge, and those of them that had trouble: one bit for each slot."""

    viewers: int = 0
    troubled: int = 0

    def with_viewer(self, slot: int, troubled: bool) -> "Experience":
        """With one more viewer; a viewer that had trouble stays so."""
        bit = 1 << slot % SLOTS
        return Experience(self.viewers | bit, self.troubled | bit if troubled else self.troubled)

    def merged(self, other: "Experience") -> "Experience":
        """The viewers of both."""
        return Experience(self.viewers | other.viewers, self.troubled | other.troubled)


def poor_edges(experiences: Mapping[str, Experience], min_viewers: int) -> frozenset[str]:
    """The ids of the edges that are poor for a network, out of all that its viewers play from.

    An edge is compared with the others together, and only when both have ``min_viewers``. So a
    network that is poor itself makes no edge poor, and of two edges at most one is.
    """
    counts = {
        edge: (one.viewers.bit_count(), one.troubled.bit_count())
        for edge, one in experiences.items()
    }
    all_viewers = sum(viewers for viewers, _ in counts.values())
    all_troubled = sum(troubled for _, troubled in counts.values())
    poor: set[str] = set()
    for edge, (viewers, troubled) in counts.items():
        others = all_viewers - viewers
        if min(viewers, others) < max(1, min_viewers):
            continue
        share, share_of_others = troubled / viewers, (all_troubled - troubled) / others
        if share >= MIN_TROUBLED and share >= TIMES_OTHERS * share_of_others:
            poor.add(edge)
    return frozenset(poor)


class _Windows(NamedTuple):
    """The experiences of one network: of this window, which began at ``start_s``, and of the one
    before; and what follows from them."""

    start_s: float
    current: dict[str, Experience]
    before: dict[str, Experience]
    poor: frozenset[str]


_NONE: Final[frozenset[str]] = frozenset()


class NetworkExperiences:
    """One worker's memory. Callers pass the time of a monotonic clock, in seconds."""

    def __init__(self, window_s: float) -> None:
        self._networks: Cache[str, _Windows] = Cache(EXPERIENCES)
        self._window_s = window_s

    def add(
        self, network: str, edge: str, slot: int, troubled: bool, now_s: float, min_viewers: int
    ) -> None:
        """Note how a viewer (a hash of it) plays from an edge."""
        known = self._networks.get(network)
        if known is None or now_s - known.start_s >= 2 * self._window_s:
            known = _Windows(now_s, {}, {}, _NONE)
        elif now_s - known.start_s >= self._window_s:
            known = _Windows(now_s, {}, known.current, known.poor)
        if edge not in known.current and len(known.current) >= MAX_EDGES:
            return
        known.current[edge] = known.current.get(edge, Experience()).with_viewer(slot, troubled)
        together = {
            name: known.current.get(name, Experience()).merged(known.before.get(name, Experience()))
            for name in {**known.before, **known.current}
        }
        self._networks.put(network, known._replace(poor=poor_edges(together, min_viewers)))

    def poor(self, network: str, now_s: float) -> frozenset[str]:
        """The ids of the edges that are poor for a network."""
        known = self._networks.get(network)
        if known is None or now_s - known.start_s >= 2 * self._window_s:
            return _NONE
        return known.poor
