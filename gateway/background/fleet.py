"""Who keeps the fleet? Everyone who knows something of edges tells it here.

Edges come from several finders (the config, DNS, registrations), and judgements of them from
several judges (probes, drains, capacity). Whenever one of them says something new, the fleet is
put together afresh, and requests that come after see it whole.

There is always an edge: when nobody finds one any more, those that were there last stay.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import structlog

from gateway.edge.edge import Edge
from gateway.edge.fleet import SEVERITY, EdgeCondition, Fleet, worst
from gateway.observe import metrics

log = structlog.get_logger()


class FleetKeeper:
    """Puts edges and conditions together, and tells everybody who asked for it."""

    def __init__(self, configured: Sequence[Edge]) -> None:
        """``configured`` are the edges of the config."""
        self._finders: dict[str, tuple[Edge, ...]] = {"config": tuple(configured)}
        self._judges: dict[str, Mapping[str, EdgeCondition]] = {}
        self._listeners: list[Callable[[Fleet], None]] = []
        self._none_found = not configured
        self._told: set[tuple[str, str]] = set()
        self._count("config")
        self.fleet = self._assembled(None)

    def found(self, finder: str, edges: Sequence[Edge]) -> None:
        """``finder`` (``config``, ``dns``, ``registry``) knows these edges now, and no others. Of
        two edges of one id, that of the finder which spoke first counts; the config's always."""
        if self._finders.get(finder) != tuple(edges):
            self._finders[finder] = tuple(edges)
            self._count(finder)
            self._assemble()

    def judged(self, judge: str, conditions: Mapping[str, EdgeCondition]) -> None:
        """``judge`` (``config``, ``health``, ``drain``, ``capacity``) finds the edges of these ids
        in these conditions, and all others up. A template's id means all edges made from it."""
        if self._judges.get(judge, {}) != conditions:
            self._judges[judge] = dict(conditions)
            self._assemble()

    def on_change(self, listener: Callable[[Fleet], None]) -> None:
        """Call ``listener`` with every new fleet; it must not block."""
        self._listeners.append(listener)

    def finder_of(self, edge_id: str) -> str | None:
        """Who found the edge of that id that counts; None when nobody knows one."""
        return next(
            (
                finder
                for finder, edges in self._finders.items()
                if any(edge.id == edge_id for edge in edges)
            ),
            None,
        )

    def _assembled(self, last: Fleet | None) -> Fleet:
        """The fleet as everybody tells it; of the edges in ``last`` when nobody knows any."""
        edges: dict[str, Edge] = {}
        for edge in chain.from_iterable(self._finders.values()):
            edges.setdefault(edge.id, edge)
        found = tuple(edges.values())
        if not found and last is not None:
            found = last.edges
        judged = set[str]().union(*self._judges.values())
        conditions = {
            edge.id: worst(self._judgements(edge))
            for edge in found
            if edge.id in judged or edge.template in judged
        }
        return Fleet.of(found, conditions, last)

    def _judgements(self, edge: Edge) -> list[EdgeCondition]:
        names = (edge.id,) if edge.template is None else (edge.id, edge.template)
        return [
            judged[name] for judged in self._judges.values() for name in names if name in judged
        ]

    def _count(self, finder: str) -> None:
        """Count what a finder found, and tell once of each id that another one has as well."""
        metrics.EDGES_BY_FINDER.labels(finder).set(len(self._finders[finder]))
        taken: set[str] = set()
        for other, edges in self._finders.items():
            for edge in edges:
                if edge.id in taken and (other, edge.id) not in self._told:
                    self._told.add((other, edge.id))
                    log.warning("edge_passed_over", edge=edge.id, finder=other, reason="id taken")
                taken.add(edge.id)
        self._told &= {(name, edge.id) for name, found in self._finders.items() for edge in found}

    def _assemble(self) -> None:
        before, self.fleet = self.fleet, self._assembled(self.fleet)
        none_found, self._none_found = self._none_found, not any(self._finders.values())
        if self._none_found and not none_found:
            log.error("edges_none_found", kept=len(self.fleet.edges))
        _tell(before, self.fleet)
        for listener in self._listeners:
            listener(self.fleet)


def _tell(before: Fleet, after: Fleet) -> None:
    """One log line for each edge that came, went or changed its state, and the metrics."""
    for edge, condition in zip(after.edges, after.conditions, strict=True):
        previous = before.condition(edge.id)
        if previous is condition:
            continue
        if previous is None:
            log.info("edge_added", edge=edge.id, url=edge.url)
        else:
            _tell_change(edge.id, previous, condition)
    for edge in before.edges:
        if edge.id not in after.positions:
            log.info("edge_removed", edge=edge.id)
    if after.all_down and not before.all_down:
        log.error("edges_all_down", edges=len(after.edges))
    counts = Counter(condition.state for condition in after.conditions)
    for state in SEVERITY:
        metrics.EDGES_BY_STATE.labels(state).set(counts[state])


def _tell_change(edge_id: str, before: EdgeCondition, after: EdgeCondition) -> None:
    if after.state != before.state:
        write = log.info if after.state == "up" else log.warning
        write("edge_state", edge=edge_id, state=after.state, reason=after.why)
    elif after.full != before.full:
        log.info("edge_full" if after.full else "edge_has_room", edge=edge_id)
