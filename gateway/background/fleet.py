"""The current fleet: edges from several finders, with the conditions that several judges report.

Finders are the config, DNS and registrations; judges are probes, drains and capacity. Each report
builds a new fleet, which later requests see as a whole.

The fleet is never empty: when no finder has an edge any more, the last edges stay.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, product

import structlog

from gateway.edge.edge import Edge
from gateway.edge.fleet import SEVERITY, EdgeCondition, Fleet, worst
from gateway.edge.override import Override
from gateway.observe import metrics

log = structlog.get_logger()


class FleetKeeper:
    """Combines edges and conditions, and notifies listeners."""

    def __init__(self, configured: Sequence[Edge]) -> None:
        """``configured`` are the edges of the config."""
        self._finders: dict[str, tuple[Edge, ...]] = {"config": tuple(configured)}
        self._judges: dict[str, Mapping[str, EdgeCondition]] = {}
        self._overrides: tuple[Override, ...] = ()
        self._listeners: list[Callable[[Fleet], None]] = []
        self._none_found = not configured
        self._logged: set[tuple[str, str]] = set()
        self._count("config")
        self.fleet = self._assembled(None)

    def found(self, finder: str, edges: Sequence[Edge]) -> None:
        """Replace the edges of ``finder`` (``config``, ``dns``, ``registry``). Of two edges with
        one id, that of the finder that reported first counts, and the config's always wins."""
        if self._finders.get(finder) != tuple(edges):
            self._finders[finder] = tuple(edges)
            self._count(finder)
            self._assemble()

    def judged(self, judge: str, conditions: Mapping[str, EdgeCondition]) -> None:
        """Replace the conditions of ``judge`` (``config``, ``health``, ``drain``, ``capacity``), by
        edge id; edges that are not listed are up. A template's id stands for all edges made from
        it."""
        if self._judges.get(judge, {}) != conditions:
            self._judges[judge] = dict(conditions)
            self._assemble()

    def overridden(self, overrides: Sequence[Override]) -> None:
        """Replace the operators' overrides that are in force."""
        if self._overrides != tuple(overrides):
            self._overrides = tuple(overrides)
            self._assemble()

    def on_change(self, listener: Callable[[Fleet], None]) -> None:
        """Call ``listener``, which must not block, with every new fleet."""
        self._listeners.append(listener)

    def finder_of(self, edge_id: str) -> str | None:
        """The finder of the edge in use with this id; None when there is none."""
        return next(
            (
                finder
                for finder, edges in self._finders.items()
                if any(edge.id == edge_id for edge in edges)
            ),
            None,
        )

    def _assembled(self, last: Fleet | None) -> Fleet:
        """The fleet from all reports; with the edges of ``last`` when there are none."""
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
        return Fleet.of(found, conditions, last, self._overrides)

    def _judgements(self, edge: Edge) -> list[EdgeCondition]:
        names = (edge.id,) if edge.template is None else (edge.id, edge.template)
        return [
            judged[name] for judged in self._judges.values() for name in names if name in judged
        ]

    def _count(self, finder: str) -> None:
        """Set the metric of a finder, and log once each edge id that two finders have."""
        metrics.EDGES_BY_FINDER.labels(finder).set(len(self._finders[finder]))
        taken: set[str] = set()
        for other, edges in self._finders.items():
            for edge in edges:
                if edge.id in taken and (other, edge.id) not in self._logged:
                    self._logged.add((other, edge.id))
                    log.warning("edge_id_taken", edge=edge.id, finder=other, reason="id taken")
                taken.add(edge.id)
        self._logged &= {(name, edge.id) for name, found in self._finders.items() for edge in found}

    def _assemble(self) -> None:
        before, self.fleet = self.fleet, self._assembled(self.fleet)
        none_found, self._none_found = self._none_found, not any(self._finders.values())
        if self._none_found and not none_found:
            log.error("edges_none_found", kept=len(self.fleet.edges))
        _log_changes(before, self.fleet)
        for listener in self._listeners:
            listener(self.fleet)


def _log_changes(before: Fleet, after: Fleet) -> None:
    """Log each edge that was added, removed or changed its state, and set the metrics."""
    for edge, condition in zip(after.edges, after.conditions, strict=True):
        previous = before.condition(edge.id)
        if previous is condition:
            continue
        if previous is None:
            log.info("edge_added", edge=edge.id, url=edge.url)
        else:
            _log_change(edge.id, previous, condition)
    for edge in before.edges:
        if edge.id not in after.positions:
            log.info("edge_removed", edge=edge.id)
    if after.all_down and not before.all_down:
        log.error("edges_all_down", edges=len(after.edges))
    counts = Counter(condition.state for condition in after.conditions)
    for state in SEVERITY:
        metrics.EDGES_BY_STATE.labels(state).set(counts[state])
    _count_by_continent(before, after)


def _count_by_continent(before: Fleet, after: Fleet) -> None:
    """A continent that has lost its last edge is set to 0, since a series cannot be deleted."""
    counts = Counter(
        (continent, condition.state)
        for edge, condition in zip(after.edges, after.conditions, strict=True)
        for continent in edge.continents
    )
    continents = {
        one for fleet in (before, after) for edge in fleet.edges for one in edge.continents
    }
    for continent, state in product(continents, SEVERITY):
        metrics.EDGES_BY_CONTINENT.labels(continent, state).set(counts[continent, state])


def _log_change(edge_id: str, before: EdgeCondition, after: EdgeCondition) -> None:
    if after.state != before.state:
        write = log.info if after.state == "up" else log.warning
        write("edge_state", edge=edge_id, state=after.state, reason=after.why)
    elif after.full != before.full:
        log.info("edge_full" if after.full else "edge_not_full", edge=edge_id)
